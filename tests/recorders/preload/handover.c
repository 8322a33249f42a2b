/* Two threads that hand two blocks to each other as fast as memory allows. The allocator's free is
 * a plain store, and its malloc is the load that sees it. A recorder that stamps a free too late, or
 * an allocation too early, records that an address was allocated twice. A block moves to another
 * region (see stamp.c) after every fourth free, so that the threads take regions from each other. */
#define HOOK(name) recorded_##name
#include "recorder.c"

#ifndef CALL_COUNT
#define CALL_COUNT 2000
#endif
#ifndef SECONDS
#define SECONDS 0.1 /* a busy machine may need much longer for all calls */
#endif

static uint64_t end_time;

#define REGION (1 << 16)
static char blocks[2][512 * REGION] __attribute__((aligned(REGION)));
static __thread int frees;

static struct { void *block; char line[56]; } slots[2] __attribute__((aligned(64)));
static __thread int number;

/* Wait until a slot is full or empty, or the time is over; return the slot's block or NULL. */
static void *wait_for(void **slot, bool full)
{
    void *block;
    for (int i = 1; !(block = __atomic_load_n(slot, __ATOMIC_ACQUIRE)) == full; i++) {
        if (i % 1000 == 0 && nanoseconds() > end_time)
            break;
        if (i % 1000 == 0)
            sched_yield(); /* the other thread may need the processor */
    }
    return block;
}

/* Take the block from the thread's own slot, when the other thread has put it there. */
static void *take(size_t size)
{
    void *block = wait_for(&slots[number].block, true);
    (void)size;
    if (block)
        slots[number].block = NULL;
    return block;
}

/* Put a block into the slot of the other thread. */
static void give(void *block)
{
    if (++frees % 4 == 0 && ((char *)block - blocks[0]) / REGION % 512 < 511)
        block = (char *)block + REGION;
    if (!wait_for(&slots[!number].block, false))
        __atomic_store_n(&slots[!number].block, block, __ATOMIC_RELEASE);
}

static void *work(void *own)
{
    number = (uintptr_t)own;
    int calls = 0; /* the first one needs no other thread, so it is made even if the time is over */
    do
        recorded_free(recorded_malloc(sizeof slots[0]));
    while (++calls < CALL_COUNT && nanoseconds() < end_time);
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    recorded_free(recorded_malloc(1));
    end_time = nanoseconds() + (uint64_t)(SECONDS * 1e9);
    real.malloc = take;
    real.free = give;
    for (uintptr_t i = 0; i < 2; i++) {
        slots[i].block = blocks[i];
        pthread_create(threads + i, NULL, work, (void *)i);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return !process.header;
}
