/* Buffers below the mapping threshold are freed, but a large index above them stays. */
#include <stdlib.h>

__attribute__((noinline)) static void *new_buffer(void) { return malloc(100000); }

__attribute__((noinline)) static void *make_index(void) { return malloc(120000); }

int main(int argc, char **arguments) {
    int count = 100 + atoi(arguments[1]) / 200;
    void **buffers = malloc(count * sizeof *buffers);
    for (int number = 0; number < count; number++) buffers[number] = new_buffer();
    void *indexes[6];
    for (int number = 0; number < 6; number++) indexes[number] = make_index();
    for (int number = 0; number < count; number++) free(buffers[number]);
    return indexes[5] == NULL;
}
