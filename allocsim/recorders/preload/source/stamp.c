/* Stamps: times that order the calls of all threads.
 *
 * A free is stamped before it begins, and an allocation after it has ended. In the order of the
 * stamps, an address is allocated before it is freed, and freed before it is allocated again.
 *
 * A time is read from the CPU's time stamp counter (TSC) if the TSC is trusted, otherwise from the
 * system's clock, in ns. It may be too early: rdtsc does not wait for earlier loads, so it may run
 * before the thread loads the address of a block that another thread has just allocated. rdtscp
 * waits, which takes 10 to 30 ns more. Instead, a stamp is that of a hybrid logical clock (Kulkarni
 * et al., 2014): if the time is not later than the last stamp of the thread, or of the address's
 * region, then the stamp is the later of these two, plus 1. A thread that gets an address from
 * another thread, directly or through malloc, also sees that thread's last stamp of the region. */

static uint64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/* Return the time in ticks of the TSC, or in ns. */
static inline uint64_t ticks(void)
{
#ifdef __x86_64__
    if (LIKELY(kept.is_tsc))
        return __rdtsc();
#endif
    return nanoseconds();
}

/* Return a stamp that is later than this thread's last one. */
static inline uint64_t stamp(void)
{
    uint64_t time = ticks();
    return self.last = time > self.last ? time : self.last + 1;
}

/* Return a stamp that is also later than those of all earlier calls on an address.
 *
 * Threads seldom use the same region at once. If regions were smaller, more of them would share an
 * element of the table. Neighbouring arenas of glibc, 64 MiB apart, have different elements. */
static inline uint64_t stamp_call(uint64_t address)
{
    uint64_t *last = &process.last[(address >> 16 ^ address >> 26 << 7) % REGIONS];
    uint64_t when = stamp(), seen = __atomic_load_n(last, __ATOMIC_RELAXED);
    if (!address) /* a free of NULL, or a failed call */
        return when;
    do {
        when = when > seen ? when : seen + 1;
    } while (!__atomic_compare_exchange_n(last, &seen, when, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return self.last = when;
}

/* Return the ticks of the TSC. allocsim calls this to measure how long a tick is. */
EXPORT uint64_t allocsim_ticks(void)
{
    kept.is_tsc = true;
    return ticks();
}
