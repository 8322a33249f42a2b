/* An independent counter: counts the calls of each allocation function, and the peak of live bytes.
 *
 * It is independent of the recorder in code and design: one lock, one table of live blocks, and for
 * each process one page of counters in a file of $COUNTER_DIRECTORY. It is preloaded before the
 * recorder, so it sees each call first.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MALLOC, CALLOC, REALLOC, MEMALIGN, POSIX, ALIGNED, VALLOC, PVALLOC, FREE, NEW, DELETE, LIVE,
       PEAK, FAILED, PROCESS, FIELDS };
enum { SLOTS = 1 << 21 };

static uint64_t early[FIELDS], *page = early;
static struct block { uintptr_t address; size_t size; } blocks[SLOTS];
static int held;
static __thread int inside; /* an allocation function that another one of the program calls */

static void hold(void) { while (__atomic_exchange_n(&held, 1, __ATOMIC_ACQUIRE)) ; }
static void release(void) { __atomic_store_n(&held, 0, __ATOMIC_RELEASE); }

static void open_page(void) {
    const char *directory = getenv("COUNTER_DIRECTORY");
    char path[512];
    if (!directory) return;
    for (int image = 0; image < 100; image++) {
        snprintf(path, sizeof path, "%s/%d.%d", directory, getpid(), image);
        int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file < 0) continue;
        uint64_t *made = ftruncate(file, 4096) ? MAP_FAILED
            : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
        if (made == MAP_FAILED) return;
        memcpy(made, page, sizeof early);
        made[PROCESS] = getpid();
        page = made;
        return;
    }
}

static uint64_t inherited;

static void before_fork(void) { inherited = page[LIVE]; }

static void in_child(void) {
    held = 0;
    memset(early, 0, sizeof early);
    early[LIVE] = early[PEAK] = inherited; /* the page is shared with the parent, which goes on */
    page = early;
    open_page();
}

static size_t slot_of(uintptr_t address) {
    size_t slot = (address >> 4) * 0x9E3779B97F4A7C15u >> 43;
    while (blocks[slot].address && blocks[slot].address != address) slot = (slot + 1) % SLOTS;
    return slot;
}

static void add(uintptr_t address, size_t size) {
    size_t slot = slot_of(address);
    blocks[slot] = (struct block){address, size};
    page[LIVE] += size;
    if (page[LIVE] > page[PEAK]) page[PEAK] = page[LIVE];
}

static size_t drop(uintptr_t address) {
    size_t slot = slot_of(address), size = blocks[slot].size;
    if (!blocks[slot].address) return 0;
    page[LIVE] -= size;
    blocks[slot].address = 0;
    for (size_t next = (slot + 1) % SLOTS; blocks[next].address; next = (next + 1) % SLOTS) {
        struct block moved = blocks[next];
        blocks[next].address = 0;
        blocks[slot_of(moved.address)] = moved;
    }
    return size;
}

static void *made(int kind, void *result, size_t size) {
    hold();
    page[kind]++;
    if (result) add((uintptr_t)result, size); else page[FAILED]++;
    release();
    return result;
}

static char arena[1 << 16];
static size_t used;
static void *early_memory(size_t size) {
    void *result = arena + used;
    used += (size + 15) / 16 * 16;
    return result;
}

#define IS_EARLY(address) ((uintptr_t)(address) - (uintptr_t)arena < sizeof arena)
static int finding;
#define NEXT(name, missing) \
    static __typeof__(name) *next; \
    if (!next) { \
        if (finding) return missing; \
        finding = 1; \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
        finding = 0; \
    }

void *malloc(size_t size) {
    NEXT(malloc, early_memory(size))
    return made(MALLOC, next(size), size);
}

void *calloc(size_t count, size_t size) {
    size_t total;
    NEXT(calloc, early_memory(count * size))
    if (__builtin_mul_overflow(count, size, &total)) total = 0;
    return made(CALLOC, next(count, size), total);
}

static void *resize(void *address, size_t size, void *(*next)(void *, size_t)) {
    void *result;
    hold();
    page[REALLOC]++;
    size_t before = address ? drop((uintptr_t)address) : 0;
    release();
    result = next(address, size);
    hold();
    if (result) add((uintptr_t)result, size);
    else if (size) {
        page[FAILED]++;
        if (address) add((uintptr_t)address, before);
    }
    release();
    return result;
}

void *realloc(void *address, size_t size) {
    NEXT(realloc, NULL)
    if (IS_EARLY(address)) return memcpy(malloc(size), address, size);
    return resize(address, size, next);
}

void *reallocarray(void *address, size_t count, size_t size) {
    size_t total;
    NEXT(reallocarray, NULL)
    if (__builtin_mul_overflow(count, size, &total)) total = SIZE_MAX;
    hold();
    page[REALLOC]++;
    size_t before = address ? drop((uintptr_t)address) : 0;
    release();
    void *result = next(address, count, size);
    hold();
    if (result) add((uintptr_t)result, total);
    else if (total) {
        page[FAILED]++;
        if (address) add((uintptr_t)address, before);
    }
    release();
    return result;
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size) {
    NEXT(memalign, NULL)
    return made(MEMALIGN, next(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    NEXT(aligned_alloc, NULL)
    return made(ALIGNED, next(alignment, size), size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    NEXT(posix_memalign, ENOMEM)
    int error = next(result, alignment, size);
    made(POSIX, error ? NULL : *result, size);
    return error;
}

void *valloc(size_t size) {
    NEXT(valloc, NULL)
    return made(VALLOC, next(size), size);
}

void *pvalloc(size_t size);
void *pvalloc(size_t size) {
    NEXT(pvalloc, NULL)
    return made(PVALLOC, next(size), size);
}

void free(void *address) {
    NEXT(free, (void)0)
    if (IS_EARLY(address)) return;
    hold();
    if (!inside) page[FREE]++;
    if (address) drop((uintptr_t)address);
    release();
    next(address);
}

/* operator new and delete are counted where one of these libraries is loaded, unless they call
 * another function that is counted. */
static int find_operators(void) {
    const char *libraries[] = {"libtcmalloc_minimal.so.4", "libjemalloc.so.2", "libmimalloc.so.2"};
    for (int i = 0; i < 3; i++)
        if (dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD)) return 1;
    return 0;
}

static int has_operators = -1;

__attribute__((constructor)) static void begin(void) {
    open_page();
    pthread_atfork(before_fork, NULL, in_child);
}

static uint64_t counted(void) {
    uint64_t sum = 0;
    for (int kind = MALLOC; kind <= PVALLOC; kind++) sum += page[kind];
    return sum;
}

#define OPERATOR_NEW(name) \
    void *name(size_t size, uintptr_t second, uintptr_t third) { \
        static void *(*next)(size_t, uintptr_t, uintptr_t); \
        static int counts; \
        if (!next) { \
            next = (void *(*)(size_t, uintptr_t, uintptr_t))dlsym(RTLD_NEXT, #name); \
            if (has_operators < 0) has_operators = find_operators(); \
            counts = has_operators; \
        } \
        uint64_t before = counted(); \
        void *result = next(size, second, third); \
        if (!counts) return result; \
        hold(); \
        if (counted() == before) { page[NEW]++; add((uintptr_t)result, size); } \
        release(); \
        return result; \
    }
OPERATOR_NEW(_Znwm)
OPERATOR_NEW(_Znam)
OPERATOR_NEW(_ZnwmRKSt9nothrow_t)
OPERATOR_NEW(_ZnamRKSt9nothrow_t)
OPERATOR_NEW(_ZnwmSt11align_val_t)
OPERATOR_NEW(_ZnamSt11align_val_t)

#define OPERATOR_DELETE(name) \
    void name(void *address, uintptr_t second, uintptr_t third) { \
        static void (*next)(void *, uintptr_t, uintptr_t); \
        static int counts; \
        if (!next) { \
            next = (void (*)(void *, uintptr_t, uintptr_t))dlsym(RTLD_NEXT, #name); \
            if (has_operators < 0) has_operators = find_operators(); \
            counts = has_operators; \
        } \
        if (counts) { \
            hold(); \
            if (!inside) page[DELETE]++; \
            if (address) drop((uintptr_t)address); \
            release(); \
            inside++; \
        } \
        next(address, second, third); \
        if (counts) inside--; \
    }
OPERATOR_DELETE(_ZdlPv)
OPERATOR_DELETE(_ZdaPv)
OPERATOR_DELETE(_ZdlPvm)
OPERATOR_DELETE(_ZdaPvm)
OPERATOR_DELETE(_ZdlPvRKSt9nothrow_t)
OPERATOR_DELETE(_ZdaPvRKSt9nothrow_t)
OPERATOR_DELETE(_ZdlPvSt11align_val_t)
OPERATOR_DELETE(_ZdaPvSt11align_val_t)
OPERATOR_DELETE(_ZdaPvmSt11align_val_t)
OPERATOR_DELETE(_ZdlPvmSt11align_val_t)
