/* The guard: protects the output of a recorder (heaptrack, LTTng, mtrace) in the recorded program,
 * which does not know that the recorder has files open.
 *
 * `allocsim record` preloads the guard before the recorder's own library. The guard does this:
 *
 *   output     When the recorder opens the file $ALLOCSIM_OUTPUT, the descriptor gets a high
 *              number, and the program can neither close nor replace it. After a write has failed,
 *              no more is written to the file, and the lost bytes are counted.
 *   page       The file $ALLOCSIM_GUARD is one page, which has the guard's counts (see guard.py).
 *   aligned    Allocation functions that the recorder does not know call one that it knows.
 *
 * The functions here replace functions of libc. They behave as the manual pages say, and call the
 * functions that they replace.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HIGH = 800, PAGE = 4096, CLOEXEC_ONLY = 4 /* CLOSE_RANGE_CLOEXEC */ };

struct page {
    int64_t process, images, ended, error, lost, deep_binds, early_exits;
};

static struct page nowhere, *page = &nowhere;
static int output = -1, statm = -1, unwinding[2] = {-1, -1};
static FILE *stream; /* to which mtrace writes */
static int64_t room = INT64_MAX; /* bytes that fit below RLIMIT_FSIZE; one more raises SIGXFSZ */

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int is_kept(int fd) {
    return fd >= 0 && (fd == output || fd == statm || fd == unwinding[0] || fd == unwinding[1]);
}

static int is_own_process(void) { return page->process == getpid(); }

/* Count an image: the program, or another program that it has executed in the same process. */
static void __attribute__((constructor)) begin(void) {
    const char *path = getenv("ALLOCSIM_GUARD");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (mapped == MAP_FAILED) return;
    page = mapped;
    if (!page->process) page->process = getpid();
    if (is_own_process()) page->images++;
}

/* Record that the current image has ended normally, and write mtrace's buffer to its file. */
static void __attribute__((destructor)) end(void) {
    if (!is_own_process()) return;
    page->ended = page->images;
    if (stream) fflush(stream);
}

void _exit(int status) {
    if (is_own_process()) page->early_exits++;
    end();
    for (;;) syscall(SYS_exit_group, status);
}

void _Exit(int status) { _exit(status); }

#ifdef FOR_HEAPTRACK
void heaptrack_stop(void) __attribute__((weak)); /* writes heaptrack's buffer */
#endif

/* libc's daemon() ends the calling process by libc's own _exit, and does not call ours. */
int daemon(int keep_directory, int keep_streams) {
    NEXT(daemon);
#ifdef FOR_HEAPTRACK
    if (heaptrack_stop) heaptrack_stop();
#endif
    end();
    int failed = next(keep_directory, keep_streams);
    if (is_own_process()) page->ended = 0;
    return failed;
}

/* Write all of `data`. Once a write has failed, write nothing more, and count the lost bytes. */
static void keep(const char *data, size_t count) {
    NEXT(write);
    if (page->process && !is_own_process()) return; /* a forked child's copy of the buffer */
    while (count > 0 && !page->error) {
        ssize_t written = (int64_t)count > room ? (errno = EFBIG, -1) : next(output, data, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            page->error = errno;
            break;
        }
        data += written;
        count -= (size_t)written;
        room -= written;
    }
    page->lost += (int64_t)count;
}

ssize_t write(int fd, const void *data, size_t count) {
    NEXT(write);
    if (fd < 0 || fd != output) return next(fd, data, count);
    keep(data, count);
    return (ssize_t)count;
}

static int moved_high(int fd) {
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);
    if (high >= 0) syscall(SYS_close, fd);
    return high >= 0 ? high : fd;
}

/* Return the descriptor of a file that has just been opened. If it is a file of the recorder, move
 * the descriptor to a high number and protect it. */
static int taken(const char *path, int fd) {
    const char *wanted = output < 0 ? getenv("ALLOCSIM_OUTPUT") : NULL;
    struct rlimit limit;
    if (fd >= 0 && wanted && !strcmp(path, wanted)) {
        if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur < INT64_MAX)
            room = (int64_t)limit.rlim_cur;
        return output = moved_high(fd);
    }
#ifdef FOR_HEAPTRACK /* heaptrack opens this file next, keeps it open and rewinds it */
    if (fd >= 0 && output >= 0 && statm < 0 && !strcmp(path, "/proc/self/statm"))
        return statm = moved_high(fd);
#endif
    return fd;
}

int open(const char *path, int flags, ...) {
    NEXT(open);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return taken(path, next(path, flags, mode));
}

#ifdef FOR_MTRACE
static ssize_t keep_text(void *cookie, const char *data, size_t count) {
    (void)cookie;
    keep(data, count);
    return (ssize_t)count;
}

FILE *fopen(const char *path, const char *mode) {
    NEXT(fopen);
    const char *wanted = getenv("ALLOCSIM_OUTPUT");
    if (output >= 0 || !wanted || strcmp(path, wanted)) return next(path, mode);
    taken(path, (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = keep_text});
}
#endif

#ifdef FOR_HEAPTRACK
/* To test whether an address is readable, libunwind writes the bytes there to a pipe of its own.
 * Protect this pipe. */
int pipe2(int ends[2], int flags) {
    NEXT(pipe2);
    Dl_info caller;
    int failed = next(ends, flags);
    if (failed || !dladdr(__builtin_return_address(0), &caller)) return failed;
    if (caller.dli_fname && strstr(caller.dli_fname, "libunwind"))
        for (int i = 0; i < 2; i++) ends[i] = unwinding[i] = moved_high(ends[i]);
    return 0;
}
#endif

int close(int fd) {
    NEXT(close);
    if (!is_kept(fd)) return next(fd);
    errno = EBADF;
    return -1;
}

int dup2(int from, int to) {
    NEXT(dup2);
    if (!is_kept(to)) return next(from, to);
    errno = EBUSY;
    return -1;
}

int dup3(int from, int to, int flags) {
    NEXT(dup3);
    if (!is_kept(to)) return next(from, to, flags);
    errno = EBUSY;
    return -1;
}

/* Close descriptors one by one, so that close() can spare the recorder's descriptors. This calls
 * no malloc, because malloc is recorded. */
static int close_each(unsigned first, unsigned last) {
    struct { uint64_t inode, offset; uint16_t length; uint8_t type; char name[]; } *entry;
    char list[4096] __attribute__((aligned(8)));
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
    long filled;
    if (fd < 0) return -1;
    while ((filled = syscall(SYS_getdents64, fd, list, sizeof list)) > 0)
        for (long at = 0; at < filled; at += entry->length) {
            entry = (void *)(list + at);
            unsigned number = (unsigned)strtoul(entry->name, NULL, 10);
            int is_number = entry->name[0] >= '0' && entry->name[0] <= '9';
            if (is_number && number >= first && number <= last && number != (unsigned)fd)
                close((int)number);
        }
    syscall(SYS_close, fd);
    return 0;
}

int close_range(unsigned first, unsigned last, int flags) {
    NEXT(close_range);
    if (flags & CLOEXEC_ONLY || first > last || close_each(first, last) < 0)
        return next(first, last, flags);
    return 0;
}

void closefrom(int low) { close_range(low < 0 ? 0 : (unsigned)low, ~0U, 0); }

/* The call must be a tail call: dlopen looks up its caller, which must remain the program. */
void *dlopen(const char *path, int flags) {
    NEXT(dlopen);
    if (flags & RTLD_DEEPBIND) page->deep_binds++;
    return next(path, flags);
}

#ifdef FOR_LTTNG
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
void *valloc(size_t size) { return memalign((size_t)sysconf(_SC_PAGESIZE), size); }
#define ALIGNED memalign
#endif

#ifdef FOR_HEAPTRACK
void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
#define ALIGNED aligned_alloc
#endif

#ifdef ALIGNED
void *pvalloc(size_t size) {
    size_t unit = (size_t)sysconf(_SC_PAGESIZE);
    if (size > SIZE_MAX - unit) {
        errno = ENOMEM;
        return NULL;
    }
    return ALIGNED(unit, (size + unit - 1) / unit * unit);
}
#endif

#ifdef FOR_MTRACE
#include <mcheck.h>
/* Start mtrace, and give the program's children the environment that the user gave. */
static void __attribute__((constructor)) start(void) {
    const char *preload = getenv("ALLOCSIM_LD_PRELOAD");
    mtrace();
    if (preload && *preload) setenv("LD_PRELOAD", preload, 1); else unsetenv("LD_PRELOAD");
    unsetenv("ALLOCSIM_LD_PRELOAD");
    unsetenv("MALLOC_TRACE");
}
#endif
