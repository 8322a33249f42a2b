/* When a mapped block is freed, glibc raises its thresholds, and so retains the memory of a burst. */
#include <stdlib.h>

__attribute__((noinline)) static void *load_table(void) { return malloc(4 << 20); }

__attribute__((noinline)) static void *map_file(void) { return malloc(30 << 20); }

__attribute__((noinline)) static void *fetch(void) { return malloc(60000); }

int main(int argc, char **arguments) {
    int count = 200 + atoi(arguments[1]) / 50;
    void **blocks = malloc(count * sizeof *blocks), *table = load_table();
    free(map_file());
    for (int number = 0; number < count; number++) blocks[number] = fetch();
    for (int number = count - 1; number >= 0; number--) free(blocks[number]);
    return table == NULL;
}
