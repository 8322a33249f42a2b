/* All objects stay, next to each other. */
#include <stdlib.h>

__attribute__((noinline)) static void *add_row(void) { return malloc(1000); }

int main(int argc, char **arguments) {
    int count = atoi(arguments[1]);
    void **rows = malloc(count * sizeof *rows);
    for (int number = 0; number < count; number++) rows[number] = add_row();
    return rows[count - 1] == NULL;
}
