/* Records of one word (see format.h): those of nearly all calls, unless sites are recorded.
 *
 * The thread's base does not change while another record is being written: a signal handler that has
 * interrupted a put writes longer records. */

/* Minimum bytes between two BASE records of put_base(). More of these records would cost more than
 * they save if the calls are far apart. */
#define BASE_INTERVAL 128

/* Begin a new base: this stamp, and an address half the range of a record below `address`. */
static void put_base(uint64_t when, uint64_t address, uint8_t *before)
{
    uint64_t below = (uint64_t)UNIT << (ADDRESS_BITS - 1); /* the next addresses may be lower */
    self.base_cursor = self.cursor;
    self.base_stamp = when;
    self.base_address = address > below ? address - below : UNIT; /* NULL has no short record */
    put_words(BASE, when, 2, (uint64_t[]){self.base_address}, before);
}

/* Return the one-word record of a call, or 0 if the call does not fit. */
static INLINE uint64_t short_record(enum op op, uint64_t when, uint64_t address, size_t size)
{
    uint64_t ticks = when - self.base_stamp, units = address - self.base_address;
    units = units / UNIT | units % UNIT << 60; /* too large if not a multiple of UNIT */
    if (UNLIKELY(ticks >> STAMP_BITS | units >> ADDRESS_BITS | size >> SIZE_BITS))
        return 0;
    return ((size << ADDRESS_BITS | units) << STAMP_BITS | ticks) << OP_BITS | SHORT | op;
}

/* Write a record of one word; return false if the call needs a longer one. */
static bool put_short(enum op op, uint64_t when, uint64_t address, size_t size)
{
    if (self.state & WRITING || !address || address % UNIT || address >> 48 || size >> SIZE_BITS ||
        op >= SHORT)
        return false;
    uint8_t before = begin_put();
    uint64_t word = short_record(op, when, address, size);
    if (!word && self.cursor - self.base_cursor < BASE_INTERVAL) {
        end_put(before);
        return false;
    }
    if (!word) {
        put_base(when, address, &before);
        word = short_record(op, when, address, size);
    }
    uint64_t *record = reserve(1, &before);
    if (LIKELY(record))
        __atomic_store_n(record, word, __ATOMIC_RELEASE);
    else
        count_lost(op);
    end_put(before);
    return true;
}

/* Write a record of one word for a call in a region that this thread owns. Return false if that is not
 * possible. The caller then takes the slow path, which also begins the recording of a forked child (a
 * child owns no region). Nearly all calls take the fast path. */
static INLINE bool put_owned(enum op op, uint64_t address, size_t size)
{
    const uint64_t *region = region_of(address);
    uint64_t when = self.last + 1;
    bool is_done = false;
    if (UNLIKELY(!is_owned(region, when) || self.state))
        return false;
    self.state = WRITING | IN_CHUNK;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    const struct header *header = process.header;
    if (UNLIKELY(!header)) /* a signal handler has forked this child */
        when = 0;
    else if (UNLIKELY((when & self.lag_mask) == 0 || when < header->now))
        when = owner_time(region);
    uint64_t word = short_record(op, when, address, size);
    if (LIKELY(word && when > self.last)) {
        uint64_t at = moved_cursor(sizeof word);
        if (LIKELY(at % CHUNK <= CHUNK - SLACK - sizeof word && self.state & IN_CHUNK)) {
            __atomic_store_n((uint64_t *)at, word, __ATOMIC_RELEASE);
            self.last = when;
            is_done = true;
        }
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    self.state = 0;
    return is_done;
}
