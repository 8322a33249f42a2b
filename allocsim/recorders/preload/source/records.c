/* Writing records. Each thread writes to a lane of its own (see format.h). The thread's cursor is
 * the address of its next record. A cursor below CHUNK is not an address: the thread has no chunk. */

/* Bits of self.state: */
#define WRITING 1      /* a record is being written, here or in code that a signal has interrupted */
#define IN_CHUNK 2     /* with WRITING: that record may be in the cursor's chunk */
#define DELETING 4     /* inside operator delete; free() of self.deleting is not recorded */
#define THREAD_ENDED 8 /* END has been written, or is being written */

#define RETRY 64 /* while there is no room, one call in this many tries to make room */

/* Return whether the records BEGIN and BASE and the longest other record fit at a cursor. */
static bool has_room(uint64_t cursor)
{
    return cursor >= CHUNK && cursor % CHUNK + 3 * TEXT <= CHUNK - SLACK;
}

/* Write a record of two words at the cursor of a lane that no other code writes to. */
static void append_record(struct lane *lane, enum op op, uint64_t when, uint64_t word)
{
    uint64_t *record = (uint64_t *)lane->cursor;
    record[1] = word;
    __atomic_store_n(record, when << 8 | op, __ATOMIC_RELEASE);
    lane->cursor += 2 * sizeof *record;
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
        self.cursor = NO_CHUNK;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Give this thread a lane, and write BEGIN to it; return false on failure. */
static bool take_lane(void)
{
    self.cursor = NO_CHUNK;
    if (!(self.lane = free_lane(&self.reason)))
        return false;
    if (!has_room(self.lane->cursor) && !next_chunk(self.lane, &self.reason)) {
        leave_lane();
        return false;
    }
    append_record(self.lane, BEGIN, self.last,
                  (uint64_t)self.number << 32 | (uint32_t)syscall(SYS_gettid));
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
        self.cursor = NO_CHUNK;
        self.lag_mask = CALLS_PER_TIME - 1;
    }
    if (is_done && self.cursor == NO_CHUNK) {
        /* An interrupted put_short() or put_owned() may continue in this chunk, with the same base. */
        append_record(self.lane, BASE, self.base_stamp, self.base_address);
        self.cursor = self.lane->cursor;
    }
    if (is_done && kept.has_key && !(self.state & THREAD_ENDED) && !pthread_getspecific(kept.key))
        pthread_setspecific(kept.key, &self);
    return is_done;
}

/* Make room for a record of this thread, or set self.reason and return false. `is_nested` means
 * that the caller is a signal handler that has interrupted a put in this chunk. The interrupted
 * record is incomplete, so the chunk must not be cleared, and the handler gets another lane. */
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
        self.cursor = NO_CHUNK;
        self.lost++;
    }
    return is_done;
}

/* Move the cursor, and return its old value. A signal handler cannot come between the two, so it never
 * gets the same address. */
static INLINE uint64_t moved_cursor(uint64_t bytes)
{
#ifdef __x86_64__
    __asm__ volatile("xaddq %0, %1" : "+r"(bytes), "+m"(self.cursor) : : "memory");
    return bytes;
#else
    return __atomic_fetch_add(&self.cursor, bytes, __ATOMIC_RELAXED);
#endif
}

/* Return the address for a record, or NULL if there is no room. At the end of a chunk, the cursor
 * moves into SLACK until the thread gets a new chunk. A signal handler that takes another lane
 * clears IN_CHUNK. The address may then be in the new chunk, which another handler might fill and
 * clear, so it is not used. `before` is as in begin_put(). */
static inline uint64_t *reserve(unsigned words, uint8_t *before)
{
    for (;;) {
        self.state |= IN_CHUNK;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        uint64_t at = moved_cursor(8 * words);
        if (UNLIKELY(!(self.state & IN_CHUNK)))
            continue;
        if (LIKELY(at % CHUNK + 8 * words <= CHUNK - SLACK && at >= CHUNK))
            return (uint64_t *)at;
        if (!more_room(*before & IN_CHUNK))
            return NULL;
        *before &= ~IN_CHUNK; /* this thread has a chunk that no interrupted put writes to */
    }
}

static inline bool is_recording(void)
{
    /* If more_room() makes only a header, it returns false, and put() will count a lost call. */
    return LIKELY(process.header) || (!process.is_off && (more_room(false) || process.header));
}

/* Begin to write records; return the previous state. In a signal handler that has interrupted a put,
 * it has WRITING, and IN_CHUNK if the interrupted record may be in this chunk. */
static INLINE uint8_t begin_put(void)
{
    uint8_t before = self.state;
    self.state = before | WRITING | IN_CHUNK;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return before;
}

static INLINE void end_put(uint8_t before)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    self.state = before;
    if (UNLIKELY(before & THREAD_ENDED) && self.lane && !(before & IN_CHUNK))
        leave_lane();
}

static void count_lost(enum op op)
{
    if (process.header && (op & ~(SMALL | WITH_SITE)) < BEGIN && op != RESIZED)
        count(&process.header->lost[self.reason], 1);
}

/* Write a record of `words` words; `rest` are all words but the first. */
static INLINE void put_words(enum op op, uint64_t when, unsigned words, const uint64_t *rest,
                             uint8_t *before)
{
    uint64_t *record = reserve(words, before);
    if (LIKELY(record)) {
        __atomic_store_n(record, words << 8 | UNWRITTEN, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        __builtin_memcpy(record + 1, rest, 8 * (words - 1)); /* not a call, as memcpy would be */
        __atomic_store_n(record, when << 8 | op, __ATOMIC_RELEASE);
    } else {
        count_lost(op);
    }
}

/* Write a record of any length. */
static INLINE void put(enum op op, uint64_t when, unsigned words, const uint64_t *rest)
{
    uint8_t before = begin_put();
    put_words(op, when, words, rest, &before);
    end_put(before);
}

/* Write a record that contains the last TEXT bytes of a text. */
static void put_text(enum op op, uint64_t when, uint64_t first, const char *text)
{
    uint64_t rest[1 + TEXT / 8] = {first};
    size_t length = strlen(text), used = length < TEXT ? length : TEXT;
    memcpy(rest + 1, text + length - used, used);
    put(op, when, 2 + TEXT / 8, rest);
}
