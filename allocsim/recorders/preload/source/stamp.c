/* Stamps: times that order the calls of all threads.
 *
 * A free is stamped before it begins, and an allocation after it has ended, so in the order of the
 * stamps an address is freed before it is allocated again. Where the CPU's time stamp counter (TSC)
 * is trusted, a stamp is the result of rdtscp (20 ns), which waits for earlier loads. This matters
 * for frees too: rdtsc (10 ns) may run before the thread loads the address of a block that another
 * thread has just allocated, and the free would precede the allocation. Elsewhere a stamp is the
 * time in ns, and an atomic maximum makes it unique. */

static uint64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/* Return a number that is larger than the stamp of everything that happened before. */
static inline uint64_t stamp(void)
{
#ifdef __x86_64__
    unsigned processor;
    if (LIKELY(kept.is_tsc))
        return __rdtscp(&processor);
#endif
    uint64_t last = __atomic_load_n(&process.last, __ATOMIC_ACQUIRE), next;
    do {
        next = nanoseconds();
        if (next <= last)
            next = last + 1;
    } while (!__atomic_compare_exchange_n(&process.last, &last, next, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return next;
}

/* Return a stamp of the TSC. allocsim calls this to measure how long a tick is. */
EXPORT uint64_t allocsim_ticks(void)
{
    kept.is_tsc = true;
    return stamp();
}
