/* Stamps: times that order the calls of all threads.
 *
 * A free is stamped before it begins, and an allocation after it has ended, so in the order of the
 * stamps an address is freed before it is allocated again. Where the CPU's time stamp counter (TSC)
 * is trusted, a stamp is read from it. Elsewhere a stamp is the time in ns, and an atomic maximum
 * makes it unique. */

static uint64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/* Return a stamp from the system's clock. */
static uint64_t clock_stamp(void)
{
    uint64_t last = __atomic_load_n(&process.last, __ATOMIC_ACQUIRE), next;
    do {
        next = nanoseconds();
        if (next <= last)
            next = last + 1;
    } while (!__atomic_compare_exchange_n(&process.last, &last, next, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return next;
}

/* Return a number that is larger than the stamp of everything that happened before. rdtscp (18 ns)
 * waits for earlier loads, so for those that have seen the frees of other threads. */
static inline uint64_t stamp(void)
{
#ifdef __x86_64__
    unsigned processor;
    if (LIKELY(kept.is_tsc))
        return __rdtscp(&processor);
#endif
    return clock_stamp();
}

/* Return a number that is smaller than the stamp of everything that this thread's next stores make
 * possible. rdtsc (10 ns) may run before earlier instructions, but it is complete before any later
 * store becomes visible. Then it may be smaller than the stamp of this thread's last record; the
 * records of a lane keep their order. */
static inline uint64_t stamp_before(void)
{
#ifdef __x86_64__
    if (LIKELY(kept.is_tsc))
        return __rdtsc();
#endif
    return clock_stamp();
}

/* Return a stamp of the TSC. allocsim calls this to measure how long a tick is. */
EXPORT uint64_t allocsim_ticks(void)
{
    kept.is_tsc = true;
    return stamp();
}
