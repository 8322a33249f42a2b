/* Begin and end of threads and of the process. */

static void put_name(void)
{
    char name[16] = "";
    if (!kept.is_sealed && real.prctl(PR_GET_NAME, name) == 0)
        put_text(NAME, stamp(), self.number, name);
}

/* Record the end of this thread. This is the destructor of a thread-specific value. It sets the
 * value again until the last round of destructors, so that it runs after the destructors of
 * malloc's thread caches. libc frees some objects even later; for each of these calls, the thread
 * takes a lane and leaves it. */
static void end_thread(void *value)
{
    if (++self.round < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(kept.key, value);
    else if (process.header && self.lane) {
        self.state = 0; /* not 0 after a longjmp out of put() */
        put_name();
        self.state = THREAD_ENDED;
        put(END, stamp(), 2, (uint64_t[]){self.number});
    }
}

/* Take a stamp that is later than those of the calls whose effects the child inherits. */
static void before_fork(void)
{
    stamp_after_owner();
    for (int i = 0; i < REGIONS; i++) {
        uint64_t last = __atomic_load_n(&process.regions[i], __ATOMIC_RELAXED);
        self.last = last > self.last && !(last & OWNED) ? last : self.last;
    }
    kept.forked = self.last;
}

static void after_fork(void)
{
    kept.forked = 0;
}

/* A forked child does not inherit the parent's window, so it leaves the window. If a signal handler has
 * forked while a record was being written, the child goes on writing that record: map memory at the
 * window's address for it. Nothing reads that memory. The parent writes the record too, with a stamp from
 * before the fork, so the child inherits the call. */
static void begin_child(void)
{
    int error = errno;
    uint64_t window = self.cursor / CHUNK * CHUNK;
    self.lane = NULL;
    if (!(self.state & WRITING) || !window || kept.is_sealed ||
        (syscall(SYS_mmap, window, (long)CHUNK, (long)(PROT_READ | PROT_WRITE),
                 (long)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE), -1L, 0L) == -1 &&
         errno != EEXIST)) /* EEXIST: that memory is mapped since an earlier fork */
        self.cursor = NO_CHUNK;
    errno = error;
}

__attribute__((constructor)) static void begin(void)
{
    static bool has_handlers;
    if (!RESOLVED || !is_recording() || has_handlers)
        return;
    has_handlers = true;
    kept.has_key = pthread_key_create(&kept.key, end_thread) == 0;
    pthread_atfork(before_fork, after_fork, begin_child);
    if (dlsym(RTLD_DEFAULT, "malloc") != (void *)HOOK(malloc))
        flag(OWN_MALLOC);
}

__attribute__((destructor)) static void end(void)
{
    if (process.header) {
        flag(ENDED);
        put_live_blocks();
        put_name();
    }
}
