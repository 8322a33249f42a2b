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
 * another thread, directly or through malloc, also sees that thread's last stamp of the region.
 *
 * With the TSC, and unless sites are recorded, the first thread that uses a region owns it. A region
 * that has an owner has no last stamp. The owner's stamps may be earlier than the time: once it has
 * filled a chunk, the owner reads the clock for one call in CALLS_PER_TIME, and for a call whose stamp
 * would be earlier than `now` in the header. For any other call, it adds 1 to its last stamp. After it
 * has read the time, the owner checks that it still owns the region.
 *
 * The first other thread that uses the region takes it away, waits with lfence, and makes a time the
 * region's last stamp. This stamp is later than all stamps that the owner gave in the region, because
 * the owner read its time before it lost the region. From then on, the region has no owner.
 *
 * An owner thus needs no locked instruction; such an instruction waits for all earlier stores. */

#define CALLS_PER_TIME 8 /* a power of 2 */

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

/* An element of the table of regions is 0 (unused), the region's owner, SHARED or the last stamp. */
#define OWNED (UINT64_C(1) << 63) /* the other bits are the owner */
#define SHARED 1                  /* the region has no owner, and no last stamp yet */

/* Return the element of the region of an address.
 *
 * Threads seldom use the same region at once. If regions were smaller, more of them would share an
 * element of the table. Neighbouring arenas of glibc, 64 MiB apart, have different elements. */
static inline uint64_t *region_of(uint64_t address)
{
    return &process.regions[(address >> 16 ^ address >> 26 << 7) % REGIONS];
}

static inline bool exchange(uint64_t *region, uint64_t *seen, uint64_t value)
{
    return __atomic_compare_exchange_n(region, seen, value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_ACQUIRE);
}

/* If this thread owns a region, take the region away from it. */
static void share_region(uint64_t *region)
{
    uint64_t owner = self.owner;
    exchange(region, &owner, SHARED);
}

/* Return a stamp that is later than an owner's stamps of all calls whose effects this thread sees. */
static uint64_t stamp_after_owner(void)
{
#ifdef __x86_64__
    _mm_lfence();
#endif
    stamp();
    return ++self.last; /* the owner may have read the same time */
}

/* Return a stamp that is also later than those of all earlier calls in a region. The region has no
 * owner afterwards. */
static uint64_t stamp_shared(uint64_t *region)
{
    uint64_t seen = __atomic_load_n(region, __ATOMIC_ACQUIRE), when;
    while (seen & OWNED && !exchange(region, &seen, SHARED))
        continue;
    seen = seen & OWNED ? SHARED : seen;
    do {
        when = seen == SHARED ? stamp_after_owner() : stamp();
        when = when > seen ? when : seen + 1;
    } while (!exchange(region, &seen, when));
    return self.last = when;
}

/* Return whether this thread owns a region. The address of the load depends on `time`, so the load
 * waits until `time` is known. */
static inline bool is_owned(const uint64_t *region, uint64_t time)
{
    return LIKELY(__atomic_load_n(region + (time >> 63), __ATOMIC_RELAXED) == self.owner);
}

/* Return the time, rounded down to a multiple of CALLS_PER_TIME, or 0 if this thread has lost the
 * region. */
static INLINE uint64_t owner_time(const uint64_t *region)
{
    uint64_t time = 0;
#ifdef __x86_64__
    time = __rdtsc() / CALLS_PER_TIME * CALLS_PER_TIME;
#endif
    return is_owned(region, time) ? time : 0;
}

/* Return a stamp that is also later than those of all earlier calls on an address. */
static uint64_t stamp_call(uint64_t address)
{
    uint64_t *region = region_of(address), seen = __atomic_load_n(region, __ATOMIC_RELAXED);
    if (!address) /* a free of NULL, or a failed call */
        return stamp();
    if (!seen && kept.is_tsc && !kept.has_sites) {
        self.owner = OWNED | (uintptr_t)&self;
        seen = exchange(region, &seen, self.owner) ? self.owner : seen;
    }
    uint64_t time = seen == self.owner ? ticks() : 0;
    return time > self.last && is_owned(region, time) ? self.last = time : stamp_shared(region);
}

/* Return the ticks of the TSC. allocsim calls this to measure how long a tick is. */
EXPORT uint64_t allocsim_ticks(void)
{
    kept.is_tsc = true;
    return ticks();
}
