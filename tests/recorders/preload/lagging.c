/* A thread that owns the region of its block (see stamp.c): its stamps may be earlier than the time.
 * Prints the maximum number of calls until a stamp reaches a given time: in a new thread, then, after
 * many calls, with that time in the header and without it. */
#define HOOK(name) recorded_##name
#include "recorder.c"
#include <stdio.h>

static char block[1 << 16] __attribute__((aligned(1 << 16))); /* a region; see stamp.c */

static void *take(size_t size)
{
    (void)size;
    return block;
}

static void ignore(void *address)
{
    (void)address;
}

static int calls_until(uint64_t time)
{
    int calls = 0;
    while (self.last < time) {
        calls++ % 2 ? recorded_free(block) : (void)recorded_malloc(1);
    }
    return calls;
}

static int larger(int one, int other)
{
    return one > other ? one : other;
}

int main(void)
{
    int early = 0, aided = 0, unaided = 0;
    recorded_free(recorded_malloc(1)); /* finds the real functions */
    real.malloc = take;
    real.free = ignore;
    for (int i = 0; i < 1000; i++)
        early = larger(early, calls_until(ticks()));
    for (int i = 0; i < CHUNK / 8; i++)
        recorded_free(recorded_malloc(1));
    for (int i = 0; i < 1000; i++) {
        unaided = larger(unaided, calls_until(ticks()));
        uint64_t time = process.header->now = ticks();
        aided = larger(aided, calls_until(time));
    }
    printf("%d %d %d\n", early, aided, unaided);
    return 0;
}
