/* Writing records. Each thread writes to a lane of its own (see format.h). The thread's cursor is
 * the address of its next record. A cursor below CHUNK is not an address: the thread has no chunk. */

#define RETRY 64 /* while there is no room, one call in this many tries to make room */

/* Return whether a BEGIN record and the longest other record both fit at a cursor. */
static bool has_room(uint64_t cursor)
{
    return cursor >= CHUNK && cursor % CHUNK + 2 * TEXT <= CHUNK - SLACK;
}

static void block_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

/* Return a lane that no thread uses; return NULL and set `reason` if all are in use. */
static struct lane *free_lane(enum lost *reason)
{
    lock();
    struct lane *lane = process.free_lanes;
    if (lane)
        process.free_lanes = lane->next;
    else if (process.lanes_used < MAX_LANES)
        lane = &process.lanes[process.lanes_used++];
    if (!self.number)
        self.number = ++process.threads;
    unlock();
    *reason = NO_LANE;
    return lane;
}

/* Leave this thread's lane, if it has one, to another thread. */
static void leave_lane(void)
{
    sigset_t before;
    block_signals(&before);
    if (self.lane) { /* otherwise a signal handler has left it */
        lock();
        self.lane->cursor = self.cursor;
        self.lane->next = process.free_lanes;
        process.free_lanes = self.lane;
        unlock();
        self.lane = NULL;
        self.cursor = 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Give this thread a lane, and write BEGIN to it; return false on failure. */
static bool take_lane(void)
{
    self.cursor = 0;
    if (!(self.lane = free_lane(&self.reason)))
        return false;
    if (!has_room(self.lane->cursor) && !next_chunk(self.lane, &self.reason)) {
        leave_lane();
        return false;
    }
    uint64_t *record = (uint64_t *)self.lane->cursor;
    record[1] = (uint64_t)self.number << 32 | (uint32_t)syscall(SYS_gettid);
    __atomic_store_n(record, self.last << 8 | BEGIN, __ATOMIC_RELEASE);
    self.cursor = self.lane->cursor + 2 * sizeof *record;
    return true;
}

/* Do the work of more_room(), with all signals blocked. */
static bool find_room(bool is_nested)
{
    bool is_done = true;
    if (!process.header && !start())
        return false;
    if (!self.lane || is_nested) {
        is_done = take_lane();
    } else if (!has_room(self.cursor)) { /* otherwise a signal handler has made room */
        is_done = next_chunk(self.lane, &self.reason);
        self.cursor = is_done ? self.lane->cursor : 0;
    }
    if (is_done && kept.has_key && !self.has_ended && !pthread_getspecific(kept.key))
        pthread_setspecific(kept.key, &self);
    return is_done;
}

/* Make room for a record of this thread, or set self.reason and return false. `is_nested` means
 * that the caller is a signal handler that has interrupted put(). The interrupted record is
 * incomplete, so its chunk must stay mapped, and the handler gets another lane. */
static bool more_room(bool is_nested)
{
    bool is_done = false;
    if (!kept.is_sealed && (!process.header || self.lost % RETRY == 0)) {
        sigset_t before;
        int error = errno;
        block_signals(&before);
        is_done = find_room(is_nested);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        errno = error;
    } else if (kept.is_sealed && (process.header || !start())) {
        self.reason = SECCOMP;
    }
    if (is_done)
        self.lost = 0;
    else if (process.header) {
        self.cursor = 0;
        self.lost++;
    }
    return is_done;
}

/* Return the address for a record, or NULL if there is no room. One instruction reads and moves the
 * cursor, so that a signal handler never gets the same address. At the end of a chunk, the cursor
 * moves into SLACK until the thread gets a new chunk. */
static inline uint64_t *reserve(unsigned words, bool *is_nested)
{
    for (;;) {
        uint64_t at = 8 * words;
#ifdef __x86_64__
        __asm__ volatile("xaddq %0, %1" : "+r"(at), "+m"(self.cursor));
#else
        at = __atomic_fetch_add(&self.cursor, at, __ATOMIC_RELAXED);
#endif
        if (LIKELY(at % CHUNK + 8 * words <= CHUNK - SLACK && at >= CHUNK))
            return (uint64_t *)at;
        if (!more_room(*is_nested))
            return NULL;
        *is_nested = false; /* this thread has a chunk that no interrupted put() writes to */
    }
}

static inline bool is_recording(void)
{
    /* If more_room() makes only a header, it returns false, and put() will count a lost call. */
    return LIKELY(process.header) || (!process.is_off && (more_room(false) || process.header));
}

/* Write a record of `words` words; `rest` are all words but the first. */
static INLINE void put(enum op op, uint64_t when, unsigned words, const uint64_t *rest)
{
    bool is_nested = self.is_writing;
    self.is_writing = true;
    uint64_t *record = reserve(words, &is_nested);
    if (LIKELY(record)) {
        __atomic_store_n(record, words << 8 | UNWRITTEN, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        __builtin_memcpy(record + 1, rest, 8 * (words - 1)); /* not a call, as memcpy would be */
        __atomic_store_n(record, when << 8 | op, __ATOMIC_RELEASE);
    } else if (process.header && (op & ~(SMALL | WITH_SITE)) < BEGIN && op != RESIZED) {
        count(&process.header->lost[self.reason], 1);
    }
    self.is_writing = is_nested;
    if (UNLIKELY(self.has_ended) && self.lane && !is_nested)
        leave_lane();
}

/* Write a record that contains the last TEXT bytes of a text. */
static void put_text(enum op op, uint64_t when, uint64_t first, const char *text)
{
    uint64_t rest[1 + TEXT / 8] = {first};
    size_t length = strlen(text), used = length < TEXT ? length : TEXT;
    memcpy(rest + 1, text + length - used, used);
    put(op, when, 2 + TEXT / 8, rest);
}
