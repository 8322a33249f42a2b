/* allocsim's recorder: a preloaded library that writes every malloc call of a program to files.
 *
 * ALLOCSIM_RECORD names the directory of these files. A process is one program image until it
 * calls exec, and from then on another one. Each image has a file PID-STAMP with one struct
 * header, and a file PID-STAMP.N for each of its lanes. A lane is a sequence of records, in chunks
 * of CHUNK bytes; the unused end of a chunk is zero. One thread at a time writes to a lane. When
 * the thread ends, the next new thread takes over the lane.
 *
 * A record is a few words: first the operation and a stamp, then an address and what else the
 * operation needs. The first word is written last, and is never 0. A record is therefore in the
 * file before the program gets the result of the call, and is still there after SIGKILL.
 *
 * A stamp is a time that orders the calls of all threads. A free is stamped before it begins, and
 * an allocation after it has ended, so in the order of the stamps an address is freed before it is
 * allocated again. Where the CPU's time stamp counter (TSC) is trusted, a stamp is the result of
 * rdtscp (20 ns), which waits for earlier loads. Elsewhere it is the time in ns, and an atomic
 * maximum makes it unique.
 *
 * The recorder never calls malloc, keeps no descriptor open and starts no thread. Its memory is of
 * two kinds. Shared mappings of the files are not inherited by a forked child. The kernel zeroes
 * `process` in a forked child (MADV_WIPEONFORK), and a process that finds it zero begins new
 * files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#ifndef HOOK
#define HOOK(name) name /* the tests call the hooks by other names */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define EXPORT __attribute__((visibility("default")))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define PAGE 65536 /* a multiple of every page size of Linux */
#define HEADER 4096
#define CHUNK (128 << 10)
#define SLACK 512 /* bytes at a chunk's end, into which a cursor may run on (see reserve) */
#define RETRY 64 /* when there is no room, only one call of this many tries to make room */
#define TEXT 32  /* bytes of a program's or a thread's name */
#define MAX_LANES 8192
#define MAX_DIRECTORY 400
#define MAX_PATH (MAX_DIRECTORY + 64)
#define ADDRESS (UINT64_MAX >> 8) /* the address in a word; the top byte may be a tag */

enum op {
    MALLOC = 1, CALLOC, MEMALIGN, POSIX_MEMALIGN, ALIGNED_ALLOC, VALLOC, PVALLOC, NEW, NEW_ALIGNED,
    REALLOC_NULL, REALLOCARRAY_NULL, /* of NULL: an allocation */
    REALLOC, REALLOCARRAY,           /* first half: the old address is given up */
    RESIZED,                         /* second half: the new address, 0 on failure */
    FREE, DELETE,
    BEGIN, END, NAME, /* of a thread */
    EXEC, EXEC_FAILED,
    UNWRITTEN, /* a signal handler left put() by longjmp, or the program was killed there */
};

enum lost { FILE_LIMIT, NO_DESCRIPTOR, NO_FILE, NO_DISK, NO_SPACE, NO_LANE, SECCOMP, REASONS };

enum flag { OWN_MALLOC = 1, DEEPBIND = 2, USABLE_SIZE = 4, ENDED = 8 };

struct header {
    char magic[8];
    uint64_t version;
    uint64_t process;
    uint64_t identity; /* stamp of the first call */
    uint64_t parent;   /* identity of the image that forked this one, or 0 */
    uint64_t forked;   /* stamp before that fork */
    uint64_t is_tsc;   /* stamps are TSC ticks, otherwise ns of CLOCK_MONOTONIC */
    uint64_t flags;
    uint64_t maps, mapped, unmaps, unmapped; /* calls and bytes outside of malloc */
    uint64_t lost[16];                       /* lost calls, by reason */
    char program[256];
};

struct lane {
    char *window; /* CHUNK bytes, aligned to CHUNK; NULL before the first chunk */
    uint64_t cursor;
    uint64_t chunks;   /* in the lane's file */
    struct lane *next; /* in the list of free lanes */
};

static struct process {
    struct header *header; /* NULL: not recording yet, or in a forked child */
    bool is_off;           /* nothing is recorded */
    bool is_sealed;        /* a seccomp filter is installed: no more system calls */
    bool lock;
    uint32_t threads, lanes_used;
    uint64_t last; /* the last stamp, unless stamps are TSC ticks */
    struct lane *free_lanes;
    struct lane lanes[MAX_LANES];
} __attribute__((aligned(PAGE))) process; /* whole pages, zero in a forked child */

static struct { /* not zeroed: a forked child inherits it */
    uint64_t identity, forked;
    bool is_tsc, has_key;
    pthread_key_t key;
    size_t directory; /* length of the directory's path */
    char path[MAX_PATH]; /* of the header's file */
} kept;

static __thread struct {
    uint64_t cursor; /* address of the next record; 0: no chunk */
    struct lane *lane;
    uint32_t number;    /* of this thread in the process, from 1; 0: no number yet */
    unsigned round;     /* how often end_thread() has been called in this thread */
    uint64_t lost;      /* records lost since there has been no room */
    enum lost reason;   /* why there is no room */
    uint64_t allocated; /* address of the last allocation that was recorded */
    void *deleting;     /* address that operator delete has recorded and may pass on to free */
    bool is_deleting;
    bool has_ended;
    bool is_writing;    /* inside put(); a signal handler may find it true */
    bool is_allocating; /* inside the program's malloc, whose mmap calls are not the program's */
} self __attribute__((tls_model("initial-exec")));

/* The functions that the program would call without the recorder. */
static struct {
    void *(*malloc)(size_t), *(*calloc)(size_t, size_t), *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t), *(*aligned_alloc)(size_t, size_t);
    void *(*valloc)(size_t), *(*pvalloc)(size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void (*free)(void *);
    size_t (*malloc_usable_size)(void *);
    void *(*dlopen)(const char *, int);
    long (*syscall)(long, ...);
    int (*prctl)(int, ...);
    int (*brk)(void *);
    void *(*sbrk)(intptr_t);
    int (*execve)(const char *, char *const *, char *const *);
    int (*execvpe)(const char *, char *const *, char *const *);
    int (*fexecve)(int, char *const *, char *const *);
    int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                       const posix_spawnattr_t *, char *const *, char *const *);
    int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                        const posix_spawnattr_t *, char *const *, char *const *);
} real;

static char arena[32 << 10]; /* memory for dlsym, before malloc is known */
static size_t arena_used;

/* ---- stamps ---- */

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

/* ---- files ---- */

static void lock(void)
{
    while (__atomic_test_and_set(&process.lock, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void unlock(void)
{
    __atomic_clear(&process.lock, __ATOMIC_RELEASE);
}

/* Write a character and a number in hexadecimal digits; return the end. */
static char *append(char *text, char before, uint64_t number)
{
    int digits = 1;
    *text++ = before;
    while (digits < 16 && number >> 4 * digits)
        digits++;
    while (digits--)
        *text++ = "0123456789abcdef"[number >> 4 * digits & 15];
    *text = 0;
    return text;
}

/* Append zeros to the file, so that later a store to the mapped bytes cannot fail. On ext4, writing
 * takes 2 us per page and posix_fallocate 6 us. Writing works on every file system. */
static bool grow_file(int file, size_t length, uint64_t offset)
{
    static char zeros[CHUNK];
    for (size_t done = 0; done < length;) {
        ssize_t written = syscall(SYS_pwrite64, file, zeros, length - done, offset + done);
        if (written <= 0 && !(written < 0 && errno == EINTR))
            return false;
        done += written > 0 ? written : 0;
    }
    return true;
}

/* Map new bytes at the end of a file, at the address `window` unless it is NULL. Return NULL and
 * set `reason` on failure. This uses raw system calls: the functions of libc are cancellation
 * points, and malloc must not be one. */
static void *map_file(const char *path, void *window, size_t length, uint64_t offset,
                      enum lost *reason)
{
    struct rlimit limit;
    long map = -1;
    *reason = FILE_LIMIT; /* to grow the file beyond the limit would raise SIGXFSZ */
    if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur < offset + length)
        return NULL;
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (offset ? 0 : O_CREAT);
    int file = syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
    if (file < 0) {
        *reason = errno == EMFILE || errno == ENFILE ? NO_DESCRIPTOR : NO_FILE;
        return NULL;
    }
    *reason = NO_DISK;
    if (grow_file(file, length, offset)) {
        *reason = NO_SPACE;
        map = syscall(SYS_mmap, window, length, (long)(PROT_READ | PROT_WRITE),
                      (long)(MAP_SHARED | (window ? MAP_FIXED : 0)), (long)file, offset);
    }
    syscall(SYS_close, file);
    if (map == -1)
        return NULL;
    madvise((void *)map, length, MADV_DONTFORK);
    madvise((void *)map, length, MADV_POPULATE_WRITE); /* faster than a fault for each page */
    return (void *)map;
}

/* Return the address of CHUNK reserved bytes, a multiple of CHUNK; NULL on failure. */
static char *reserve_window(void)
{
    long map = syscall(SYS_mmap, NULL, 2L * CHUNK, (long)PROT_NONE,
                       (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);
    if (map == -1)
        return NULL;
    long start = (map + CHUNK - 1) / CHUNK * CHUNK;
    if (start > map)
        syscall(SYS_munmap, map, start - map);
    syscall(SYS_munmap, start + CHUNK, map + CHUNK - start);
    madvise((void *)start, CHUNK, MADV_DONTFORK);
    return (char *)start;
}

/* Give a lane its next chunk; return false and set `reason` on failure. */
static bool next_chunk(struct lane *lane, enum lost *reason)
{
    char path[MAX_PATH];
    *reason = NO_SPACE;
    if (!lane->window && !(lane->window = reserve_window()))
        return false;
    append(stpcpy(path, kept.path), '.', lane - process.lanes);
    if (!map_file(path, lane->window, CHUNK, CHUNK * lane->chunks, reason))
        return false;
    lane->chunks++;
    lane->cursor = (uint64_t)lane->window;
    return true;
}

/* Begin the file of this program image; return false if nothing is to be recorded. */
static bool start(void)
{
    enum lost reason;
    if (process.is_off)
        return false;
    process.is_off = true;
    if (!kept.directory) {
        const char *directory = getenv("ALLOCSIM_RECORD");
        size_t length = directory ? strlen(directory) : 0;
        if (length == 0 || length > MAX_DIRECTORY)
            return false;
        memcpy(kept.path, directory, length);
        kept.is_tsc = getenv("ALLOCSIM_RECORD_TSC") != NULL;
        kept.directory = length;
    }
    uint64_t parent = kept.identity, number = getpid();
    kept.identity = stamp();
    append(append(kept.path + kept.directory, '/', number), '-', kept.identity);
    struct header *header = map_file(kept.path, NULL, HEADER, 0, &reason);
    if (!header || madvise(&process, sizeof process, MADV_WIPEONFORK))
        return false;
    *header = (struct header){
        .magic = "allocrec", .version = 1, .process = number, .identity = kept.identity,
        .parent = parent, .forked = kept.forked, .is_tsc = kept.is_tsc};
    if (readlink("/proc/self/exe", header->program, sizeof header->program - 1) < 0)
        header->program[0] = 0;
    process.is_off = false;
    memset(&self, 0, sizeof self);
    process.header = header;
    return true;
}

/* ---- threads and records ---- */

static void count(uint64_t *counter, uint64_t number)
{
    __atomic_fetch_add(counter, number, __ATOMIC_RELAXED);
}

static void flag(enum flag one)
{
    __atomic_fetch_or(&process.header->flags, one, __ATOMIC_RELAXED);
}

/* Return whether a few records fit at a cursor. */
static bool has_room(uint64_t cursor)
{
    return cursor && cursor % CHUNK + 2 * TEXT <= CHUNK - SLACK;
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

/* Leave this thread's lane to another thread. */
static void leave_lane(void)
{
    sigset_t before;
    block_signals(&before);
    lock();
    self.lane->cursor = self.cursor;
    self.lane->next = process.free_lanes;
    process.free_lanes = self.lane;
    unlock();
    self.lane = NULL;
    self.cursor = 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Give this thread a lane of its own and begin it; return false on failure. */
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
    __atomic_store_n(record, stamp() << 8 | BEGIN, __ATOMIC_RELEASE);
    self.cursor = self.lane->cursor + 2 * sizeof *record;
    return true;
}

/* Make room as more_room() does, with all signals blocked. */
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
 * that this is a signal handler which has interrupted put(). The interrupted record is not
 * complete, so its chunk must stay mapped, and the handler gets another lane. */
static bool more_room(bool is_nested)
{
    bool is_done = false;
    if (!process.is_sealed && self.lost % RETRY == 0) {
        sigset_t before;
        int error = errno;
        block_signals(&before);
        is_done = find_room(is_nested);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        errno = error;
    } else if (process.is_sealed) {
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

/* Return the place for a record, or NULL if there is no room. One instruction reads and moves the
 * cursor, so that a signal handler never gets the same place. At the end of a chunk, the cursor
 * moves on into SLACK until its thread has a new chunk. */
static inline uint64_t *reserve(unsigned words, bool *is_nested)
{
    for (;;) {
        if (LIKELY(self.cursor)) {
            uint64_t at = 8 * words;
#ifdef __x86_64__
            __asm__ volatile("xaddq %0, %1" : "+r"(at), "+m"(self.cursor));
#else
            at = __atomic_fetch_add(&self.cursor, at, __ATOMIC_RELAXED);
#endif
            if (LIKELY(at % CHUNK + 8 * words <= CHUNK - SLACK))
                return (uint64_t *)at;
        }
        if (!more_room(*is_nested))
            return NULL;
        *is_nested = false; /* this thread has a chunk that no interrupted put() writes to */
    }
}

static inline bool is_recording(void)
{
    return LIKELY(process.header) || (!process.is_off && more_room(false));
}

/* Write a record of `words` words; `rest` are all words but the first. */
static inline void put(enum op op, uint64_t when, unsigned words, const uint64_t *rest)
{
    bool is_nested = self.is_writing;
    self.is_writing = true;
    uint64_t *record = reserve(words, &is_nested);
    if (LIKELY(record)) {
        __atomic_store_n(record, words << 8 | UNWRITTEN, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        memcpy(record + 1, rest, 8 * (words - 1));
        __atomic_store_n(record, when << 8 | op, __ATOMIC_RELEASE);
    } else if (process.header && op < BEGIN && op != RESIZED) {
        count(&process.header->lost[self.reason], 1);
    }
    self.is_writing = is_nested;
    if (UNLIKELY(self.has_ended) && self.lane)
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

static void put_name(void)
{
    char name[16] = "";
    if (!process.is_sealed && real.prctl(PR_GET_NAME, name) == 0)
        put_text(NAME, stamp(), self.number, name);
}

/* End this thread. This is the destructor of a thread-specific value. It sets the value again
 * until the last round of destructors, so that it runs after the others, among them those of
 * malloc's thread caches. libc frees some objects even later; for each such call, a lane is taken
 * and left. */
static void end_thread(void *value)
{
    if (++self.round < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(kept.key, value);
    else if (process.header && self.lane) {
        put_name();
        self.has_ended = true;
        put(END, stamp(), 2, (uint64_t[]){self.number});
    }
}

static void before_fork(void)
{
    kept.forked = stamp();
}

static void after_fork(void)
{
    kept.forked = 0;
}

/* ---- the program's malloc ---- */

/* Find the functions of `real`; return false if a call of resolve() is still under way. */
static bool resolve(void)
{
    static bool is_resolving;
    if (is_resolving)
        return false;
    is_resolving = true;
#define FIND(name) real.name = dlsym(RTLD_NEXT, #name)
    FIND(syscall), FIND(prctl), FIND(calloc), FIND(realloc), FIND(memalign), FIND(aligned_alloc);
    FIND(valloc), FIND(pvalloc), FIND(posix_memalign), FIND(free), FIND(malloc_usable_size);
    FIND(dlopen), FIND(brk), FIND(sbrk), FIND(execve), FIND(execvpe), FIND(fexecve);
    FIND(posix_spawn), FIND(posix_spawnp), FIND(malloc); /* malloc last, see RESOLVED */
    is_resolving = false;
    return real.malloc != NULL;
}

#define RESOLVED (LIKELY(real.malloc) || resolve())

/* Return zeroed memory for dlsym, which may allocate before malloc is known. It is never freed. */
static void *bootstrap(size_t size)
{
    size_t start = arena_used;
    if (size > sizeof arena - start)
        return NULL;
    arena_used += (size + 15) / 16 * 16;
    return arena + start;
}

static bool is_bootstrap(const void *address)
{
    return (uintptr_t)address - (uintptr_t)arena < sizeof arena;
}

static void *allocated(enum op op, void *result, size_t size, size_t alignment)
{
    if (is_recording()) {
        self.allocated = (uintptr_t)result & ADDRESS;
        uint64_t shift = alignment ? 63 - __builtin_clzll(alignment) : 0;
        put(op, stamp(), 3, (uint64_t[]){self.allocated | shift << 56, size});
    }
    return result;
}

static void freed(enum op op, void *address)
{
    if (is_recording())
        put(op, stamp(), 2, (uint64_t[]){(uintptr_t)address & ADDRESS});
}

/* Set `result` to the result of `call`, which is a call of the program's malloc. */
#define INSIDE(result, call) (self.is_allocating = true, result = call, self.is_allocating = false)

EXPORT void *HOOK(malloc)(size_t size)
{
    void *result;
    if (!RESOLVED)
        return bootstrap(size);
    INSIDE(result, real.malloc(size));
    return allocated(MALLOC, result, size, 0);
}

EXPORT void *HOOK(calloc)(size_t count, size_t size)
{
    void *result;
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX;
    if (!RESOLVED)
        return bootstrap(total);
    INSIDE(result, real.calloc(count, size));
    return allocated(CALLOC, result, total, 0);
}

/* Call realloc for realloc or reallocarray. The record's first half is stamped before the call, the
 * second half after it. */
static void *resized(enum op op, void *address, size_t size)
{
    void *result;
    if (is_bootstrap(address)) {
        result = HOOK(malloc)(size);
        size_t length = (uintptr_t)arena + sizeof arena - (uintptr_t)address;
        return result ? memcpy(result, address, size < length ? size : length) : NULL;
    }
    if (!RESOLVED)
        return bootstrap(size);
    if (address && is_recording())
        put(op, stamp(), 3, (uint64_t[]){(uintptr_t)address & ADDRESS, size});
    INSIDE(result, real.realloc(address, size));
    if (!address)
        return allocated(op == REALLOC ? REALLOC_NULL : REALLOCARRAY_NULL, result, size, 0);
    if (is_recording())
        put(RESIZED, stamp(), 2, (uint64_t[]){(uintptr_t)result & ADDRESS});
    return result;
}

EXPORT void *HOOK(realloc)(void *address, size_t size)
{
    return resized(REALLOC, address, size);
}

EXPORT void *HOOK(reallocarray)(void *address, size_t count, size_t size)
{
    size_t total; /* if the product overflows, SIZE_MAX: realloc then fails with ENOMEM */
    return resized(REALLOCARRAY, address,
                   __builtin_mul_overflow(count, size, &total) ? SIZE_MAX : total);
}

EXPORT int HOOK(posix_memalign)(void **result, size_t alignment, size_t size)
{
    int error;
    if (!RESOLVED)
        return ENOMEM;
    INSIDE(error, real.posix_memalign(result, alignment, size));
    allocated(POSIX_MEMALIGN, error ? NULL : *result, size, alignment);
    return error;
}

#define ALIGNED(name, op)                                                                          \
    EXPORT void *HOOK(name)(size_t alignment, size_t size)                                         \
    {                                                                                              \
        void *result;                                                                              \
        if (!RESOLVED)                                                                             \
            return NULL;                                                                           \
        INSIDE(result, real.name(alignment, size));                                                \
        return allocated(op, result, size, alignment);                                             \
    }
ALIGNED(memalign, MEMALIGN)
ALIGNED(aligned_alloc, ALIGNED_ALLOC)

#define PAGES(name, op)                                                                            \
    EXPORT void *HOOK(name)(size_t size)                                                           \
    {                                                                                              \
        void *result;                                                                              \
        if (!RESOLVED)                                                                             \
            return NULL;                                                                           \
        INSIDE(result, real.name(size));                                                           \
        return allocated(op, result, size, sysconf(_SC_PAGESIZE));                                 \
    }
PAGES(valloc, VALLOC)
PAGES(pvalloc, PVALLOC)

EXPORT void HOOK(free)(void *address)
{
    if (is_bootstrap(address) || !RESOLVED)
        return;
    if (LIKELY(!self.is_deleting) || self.deleting != address)
        freed(FREE, address);
    self.is_allocating = true;
    real.free(address);
    self.is_allocating = false;
}

EXPORT void HOOK(cfree)(void *address)
{
    HOOK(free)(address);
}

EXPORT size_t HOOK(malloc_usable_size)(void *address)
{
    if (is_bootstrap(address) || !RESOLVED)
        return 0;
    if (is_recording())
        flag(USABLE_SIZE);
    return real.malloc_usable_size(address);
}

/* ---- operator new and delete ----
 *
 * The operators of libstdc++ call malloc and free, which record the calls. The operators of
 * tcmalloc, jemalloc and mimalloc do not call them, or not always. So operator new records an
 * allocation unless malloc has just recorded it, and operator delete records its call if it comes
 * from the same library as free. */

/* Return the program's operator of that name. It may be in a library that only a plugin has loaded,
 * where RTLD_NEXT does not find it. */
static void *operator_named(const char *name)
{
    static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};
    void *found = dlsym(RTLD_NEXT, name);
    for (size_t i = 0; !found && i < sizeof libraries / sizeof *libraries; i++) {
        void *library = real.dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        found = library ? dlsym(library, name) : NULL;
    }
    if (!found)
        abort(); /* without the recorder, the program could not run either */
    return found;
}

/* Return whether a function comes from the same library as free. */
static bool is_of_malloc(void *function)
{
    Dl_info one, other;
    return dladdr(function, &one) && dladdr((void *)real.free, &other) &&
           one.dli_fbase == other.dli_fbase;
}

typedef void *new_function(size_t, uintptr_t, uintptr_t);
typedef void delete_function(void *, uintptr_t, uintptr_t);

/* The second argument may be an alignment. An operator with fewer arguments ignores the others. */
#define OPERATOR_NEW(name, op, alignment)                                                          \
    EXPORT void *HOOK(name)(size_t size, uintptr_t second, uintptr_t third)                        \
    {                                                                                              \
        static new_function *function;                                                             \
        if (!function)                                                                             \
            function = (new_function *)(RESOLVED ? operator_named(#name) : NULL);                  \
        self.allocated = 0;                                                                        \
        void *result = function(size, second, third);                                              \
        if (result && self.allocated == ((uintptr_t)result & ADDRESS))                             \
            return result;                                                                         \
        return is_of_malloc((void *)function) ? allocated(op, result, size, alignment) : result;   \
    }
OPERATOR_NEW(_Znwm, NEW, 0)
OPERATOR_NEW(_Znam, NEW, 0)
OPERATOR_NEW(_ZnwmRKSt9nothrow_t, NEW, 0)
OPERATOR_NEW(_ZnamRKSt9nothrow_t, NEW, 0)
OPERATOR_NEW(_ZnwmSt11align_val_t, NEW_ALIGNED, second)
OPERATOR_NEW(_ZnamSt11align_val_t, NEW_ALIGNED, second)
OPERATOR_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, NEW_ALIGNED, second)
OPERATOR_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, NEW_ALIGNED, second)

#define OPERATOR_DELETE(name)                                                                      \
    EXPORT void HOOK(name)(void *address, uintptr_t second, uintptr_t third)                       \
    {                                                                                              \
        static delete_function *function;                                                          \
        static bool is_malloc;                                                                     \
        if (!function) {                                                                           \
            is_malloc = is_of_malloc(RESOLVED ? operator_named(#name) : NULL);                     \
            function = (delete_function *)operator_named(#name);                                   \
        }                                                                                          \
        if (is_malloc) {                                                                           \
            freed(DELETE, address);                                                                \
            self.deleting = address;                                                               \
            self.is_deleting = true;                                                               \
        }                                                                                          \
        function(address, second, third);                                                          \
        self.is_deleting = false;                                                                  \
    }
OPERATOR_DELETE(_ZdlPv)
OPERATOR_DELETE(_ZdaPv)
OPERATOR_DELETE(_ZdlPvRKSt9nothrow_t)
OPERATOR_DELETE(_ZdaPvRKSt9nothrow_t)
OPERATOR_DELETE(_ZdlPvm)
OPERATOR_DELETE(_ZdaPvm)
OPERATOR_DELETE(_ZdlPvSt11align_val_t)
OPERATOR_DELETE(_ZdaPvSt11align_val_t)
OPERATOR_DELETE(_ZdlPvmSt11align_val_t)
OPERATOR_DELETE(_ZdaPvmSt11align_val_t)
OPERATOR_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t)
OPERATOR_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)

/* ---- memory outside of malloc ---- */

/* Declare `longs`, the next `count` arguments. If the caller has passed fewer, the rest is junk. */
#define LONGS(last, count)                                                                         \
    long longs[count];                                                                             \
    va_list list;                                                                                  \
    va_start(list, last);                                                                          \
    for (int i = 0; i < count; i++)                                                                \
        longs[i] = va_arg(list, long);                                                             \
    va_end(list)

static void note_map(size_t length)
{
    if (process.header && !self.is_allocating) {
        count(&process.header->maps, 1);
        count(&process.header->mapped, length);
    }
}

EXPORT void *HOOK(mmap)(void *address, size_t length, int protection, int flags, int file, off_t at)
{
    if (!RESOLVED)
        return MAP_FAILED;
    long result = real.syscall(SYS_mmap, address, length, (long)protection, (long)flags,
                               (long)file, at); /* a system call takes whole registers */
    if (result != -1 && flags & MAP_ANONYMOUS && protection & PROT_WRITE)
        note_map(length);
    return (void *)result;
}

EXPORT void *HOOK(mmap64)(void *address, size_t length, int protection, int flags, int file,
                          off_t at)
{
    return HOOK(mmap)(address, length, protection, flags, file, at);
}

EXPORT void *HOOK(mremap)(void *old, size_t length, size_t size, int flags, ...)
{
    LONGS(flags, 1);
    if (!RESOLVED)
        return MAP_FAILED;
    long result = real.syscall(SYS_mremap, old, length, size, (long)flags, longs[0]);
    if (result != -1 && size > length)
        note_map(size - length);
    return (void *)result;
}

/* Unmap the range, except the recorder's own mappings in it, of which the program does not know. */
EXPORT int HOOK(munmap)(void *address, size_t length)
{
    uintptr_t start = (uintptr_t)address, end = start + length;
    if (!RESOLVED)
        return -1;
    for (uint32_t i = 0; i <= process.lanes_used && process.header && end > start; i++) {
        uintptr_t own = i ? (uintptr_t)process.lanes[i - 1].window : (uintptr_t)process.header;
        uintptr_t own_end = own + (i ? CHUNK : HEADER);
        if (own && start < own_end && own < end)
            return (start < own ? HOOK(munmap)(address, own - start) : 0) |
                   (own_end < end ? HOOK(munmap)((void *)own_end, end - own_end) : 0);
    }
    int result = real.syscall(SYS_munmap, address, length);
    if (process.header && !self.is_allocating && result == 0) {
        count(&process.header->unmaps, 1);
        count(&process.header->unmapped, length);
    }
    return result;
}

EXPORT int HOOK(brk)(void *address)
{
    if (!RESOLVED)
        return -1;
    char *before = real.sbrk(0);
    int result = real.brk(address);
    if (result == 0 && (char *)address > before)
        note_map((char *)address - before);
    return result;
}

EXPORT void *HOOK(sbrk)(intptr_t increment)
{
    if (!RESOLVED)
        return (void *)-1;
    void *result = real.sbrk(increment);
    if (result != (void *)-1 && increment > 0)
        note_map(increment);
    return result;
}

/* ---- functions that would hide calls from the recorder ---- */

/* The real functions must be tail calls: dlopen looks up its caller, which must be the program. */
EXPORT void *HOOK(dlopen)(const char *file, int flags)
{
    if (!RESOLVED)
        return NULL;
    if (flags & RTLD_DEEPBIND && process.header)
        flag(DEEPBIND);
    return real.dlopen(file, flags & ~RTLD_DEEPBIND);
}

EXPORT int HOOK(prctl)(int option, ...)
{
    LONGS(option, 4);
    if (!RESOLVED)
        return -1;
    int result = real.prctl(option, longs[0], longs[1], longs[2], longs[3]);
    if (option == PR_SET_SECCOMP && result == 0)
        process.is_sealed = true;
    return result;
}

EXPORT long HOOK(syscall)(long number, ...)
{
    LONGS(number, 6);
    if (!RESOLVED)
        return -1;
    long result = real.syscall(number, longs[0], longs[1], longs[2], longs[3], longs[4], longs[5]);
    if (number == SYS_seccomp && longs[0] < 2 && result == 0) /* a filter or the strict mode */
        process.is_sealed = true;
    return result;
}

/* Note that a process has begun a program, and whether its environment loads the recorder. */
static void note_exec(uint64_t when, pid_t started, const char *program, char *const *environment)
{
    uint64_t keeps = 0;
    for (; environment && *environment; environment++) {
        keeps |= !strncmp(*environment, "LD_PRELOAD=", 11) && strstr(*environment, "allocsim");
        keeps |= !strncmp(*environment, "ALLOCSIM_RECORD=", 16) ? 2 : 0;
    }
    if (is_recording())
        put_text(EXEC, when, keeps << 32 | (uint32_t)started, program);
}

#define EXECS(name, type, first)                                                                   \
    EXPORT int HOOK(name)(type program, char *const *arguments, char *const *environment)          \
    {                                                                                              \
        if (!RESOLVED)                                                                             \
            return -1;                                                                             \
        note_exec(stamp(), getpid(), first, environment);                                          \
        int result = real.name(program, arguments, environment), error = errno;                    \
        if (is_recording())                                                                        \
            put(EXEC_FAILED, stamp(), 2, (uint64_t[]){getpid()});                                  \
        errno = error;                                                                             \
        return result;                                                                             \
    }
EXECS(execve, const char *, program)
EXECS(execvpe, const char *, program)
EXECS(fexecve, int, arguments[0] ? arguments[0] : "")

EXPORT int HOOK(execv)(const char *program, char *const *arguments)
{
    return HOOK(execve)(program, arguments, environ);
}

EXPORT int HOOK(execvp)(const char *program, char *const *arguments)
{
    return HOOK(execvpe)(program, arguments, environ);
}

#define SPAWNS(name)                                                                               \
    EXPORT int HOOK(name)(pid_t *child, const char *program,                                       \
                          const posix_spawn_file_actions_t *actions,                               \
                          const posix_spawnattr_t *attributes, char *const *arguments,             \
                          char *const *environment)                                                \
    {                                                                                              \
        pid_t process_id;                                                                          \
        if (!RESOLVED)                                                                             \
            return EAGAIN;                                                                         \
        uint64_t when = stamp();                                                                   \
        int error = real.name(&process_id, program, actions, attributes, arguments, environment);  \
        if (error == 0) {                                                                          \
            note_exec(when, process_id, program, environment);                                     \
            if (child)                                                                             \
                *child = process_id;                                                               \
        }                                                                                          \
        return error;                                                                              \
    }
SPAWNS(posix_spawn)
SPAWNS(posix_spawnp)

/* ---- begin and end ---- */

__attribute__((constructor)) static void begin(void)
{
    static bool has_handlers;
    if (!RESOLVED || !is_recording() || has_handlers)
        return;
    has_handlers = true;
    kept.has_key = pthread_key_create(&kept.key, end_thread) == 0;
    pthread_atfork(before_fork, after_fork, NULL);
    if (dlsym(RTLD_DEFAULT, "malloc") != (void *)HOOK(malloc))
        flag(OWN_MALLOC);
}

__attribute__((destructor)) static void end(void)
{
    if (process.header) {
        flag(ENDED);
        put_name();
    }
}

/* Return a stamp of the TSC. allocsim calls this to measure how long a tick is. */
EXPORT uint64_t allocsim_ticks(void)
{
    kept.is_tsc = true;
    return stamp();
}
