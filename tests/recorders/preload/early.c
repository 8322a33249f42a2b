/* A program that frees and resizes memory which it got before the real malloc was found (see real.c).
 * Meanwhile the thread uses blocks whose regions have the same elements of the table of regions as that
 * memory (see stamp.c). Prints how often a real function was given such memory. */
#define HOOK(name) recorded_##name
#include "recorder.c"
#include <stdio.h>

#define BLOCKS_SIZE (1 << 30) /* bytes; has a region for each element of the table */

static char *blocks;
static uintptr_t early; /* memory of the recorder, which the real functions do not know */
static int given;

/* Return a block whose region has the same element as that of `early`. */
static void *take(size_t size)
{
    char *block = blocks;
    (void)size;
    while (region_of((uintptr_t)block) != region_of(early))
        block += 1 << 16;
    return block;
}

static void *move(void *block, size_t size)
{
    given += is_bootstrap(block);
    return take(size);
}

static void ignore(void *block)
{
    given += is_bootstrap(block);
}

int main(void)
{
    recorded_free(recorded_malloc(1)); /* finds the real functions */
    real.malloc = take;
    real.realloc = move;
    real.free = ignore;
    blocks = mmap(NULL, BLOCKS_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    for (size_t at = 0; at < sizeof arena; at += 4096) {
        early = (uintptr_t)arena + at;
        *(char *)early = 'x';
        recorded_free(recorded_malloc(1));
        recorded_free(recorded_malloc(1));
        char *moved = recorded_realloc((void *)early, 1);
        if (*moved != 'x')
            return 1;
        recorded_free(moved);
        recorded_free((void *)early);
        recorded_free(recorded_realloc((void *)early, 0));
    }
    printf("%d\n", given);
    return 0;
}
