/* Hooks: malloc and its family. */

/* Write the record of a call. `site` is 0 if the call has no site. */
static void put_any(enum op op, uint64_t when, uint64_t address, size_t size, uint64_t site)
{
    if (site)
        put(op | WITH_SITE, when, 4, (uint64_t[]){address, size, site});
    else if (put_short(op, when, address, size))
        return;
    else if (op >= RESIZED)
        put(op, when, 2, (uint64_t[]){address});
    else if (size < 1 << 16 && address < UINT64_C(1) << 48)
        put(op | SMALL, when, 2, (uint64_t[]){address | size << 48});
    else
        put(op, when, 3, (uint64_t[]){address, size});
}

static __attribute__((noinline)) void put_call(enum op op, uint64_t address, size_t size,
                                               uint64_t site)
{
    put_any(op, stamp_call(address), address, size, site);
}

/* Write the second record of a realloc. If the call has failed, the block is still at its old
 * address. */
static __attribute__((noinline)) void put_resized(void *old, void *result)
{
    uint64_t when = stamp_call((uintptr_t)(result ? result : old));
    put_any(RESIZED, when, (uintptr_t)result & ADDRESS, 0, 0);
}

/* Record an allocation by put_owned(), unless it has an alignment; return whether it is recorded. */
static INLINE bool put_block(enum op op, void *result, size_t size, size_t alignment)
{
    if (alignment || !put_owned(op, (uintptr_t)result, size))
        return false;
    self.allocated = (uintptr_t)result;
    return true;
}

/* Record an allocation that put_block() has not recorded; return `result`. */
static __attribute__((noinline)) void *allocated(enum op op, void *result, size_t size,
                                                 size_t alignment, uint64_t site)
{
    if (!is_recording())
        return result;
    self.allocated = (uintptr_t)result & ADDRESS;
    if (!result)
        self.has_failed = true;
    uint64_t shift = alignment ? 63 - __builtin_clzll(alignment) : 0;
    put_call(op, self.allocated | shift << 56, size, site);
    if (UNLIKELY(size >= LARGE) && result)
        begin_block((uintptr_t)result, size);
    return result;
}

/* Record a free that put_owned() has not recorded. Return whether the caller must call the real
 * function. */
static __attribute__((noinline)) bool freed(enum op op, void *address)
{
    if (is_bootstrap(address) || !RESOLVED)
        return false;
    if (self.state & DELETING && self.deleting == address)
        return true;
    end_block(address);
    if (is_recording())
        put_call(op, (uintptr_t)address & ADDRESS, 0, 0);
    return true;
}

/* Return the product, or SIZE_MAX on overflow: no allocator can allocate SIZE_MAX bytes. */
static inline size_t product(size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? SIZE_MAX : total;
}

/* Define the hook of a function that returns `size` bytes at a multiple of `alignment`. */
#define ALLOCATION(op, name, parameters, passed, size, alignment)                                  \
    EXPORT void *HOOK(name) parameters                                                             \
    {                                                                                              \
        if (!RESOLVED)                                                                             \
            return bootstrap(size, alignment);                                                     \
        void *result = real.name passed;                                                           \
        if (LIKELY(put_block(op, result, size, alignment)))                                        \
            return result;                                                                         \
        return allocated(op, result, size, alignment, SITE);                                       \
    }
ALLOCATION(MALLOC, malloc, (size_t size), (size), size, 0)
ALLOCATION(VALLOC, valloc, (size_t size), (size), size, sysconf(_SC_PAGESIZE))
ALLOCATION(PVALLOC, pvalloc, (size_t size), (size), size, sysconf(_SC_PAGESIZE))
ALLOCATION(CALLOC, calloc, (size_t count, size_t size), (count, size), product(count, size), 0)
ALLOCATION(MEMALIGN, memalign, (size_t alignment, size_t size), (alignment, size), size, alignment)
ALLOCATION(ALIGNED_ALLOC, aligned_alloc, (size_t alignment, size_t size), (alignment, size), size,
           alignment)

EXPORT int HOOK(posix_memalign)(void **result, size_t alignment, size_t size)
{
    int error;
    if (!RESOLVED)
        return ENOMEM;
    error = real.posix_memalign(result, alignment, size);
    allocated(POSIX_MEMALIGN, error ? NULL : *result, size, alignment, SITE);
    return error;
}

/* Call realloc for realloc or reallocarray. The first record is stamped before the call, the second
 * one after it. */
static void *resized(enum op op, void *address, size_t size, uint64_t site)
{
    void *result;
    if (is_bootstrap(address)) {
        result = HOOK(malloc)(size);
        size_t length = (uintptr_t)arena + sizeof arena - (uintptr_t)address;
        return result ? memcpy(result, address, size < length ? size : length) : NULL;
    }
    if (!RESOLVED)
        return bootstrap(size, 0);
    if (address && is_recording() && (site || !put_owned(op, (uintptr_t)address, size))) {
        end_block(address);
        put_call(op, (uintptr_t)address & ADDRESS, size, site);
    }
    result = real.realloc(address, size);
    if (!address)
        return allocated(op == REALLOC ? REALLOC_NULL : REALLOCARRAY_NULL, result, size, 0, site);
    if (is_recording() && !put_owned(RESIZED, (uintptr_t)result, 0))
        put_resized(address, result);
    if (UNLIKELY(size >= LARGE) && result && is_recording())
        begin_block((uintptr_t)result, size);
    return result;
}

EXPORT void *HOOK(realloc)(void *address, size_t size)
{
    return resized(REALLOC, address, size, SITE);
}

EXPORT void *HOOK(reallocarray)(void *address, size_t count, size_t size)
{
    return resized(REALLOCARRAY, address, product(count, size), SITE);
}

static __attribute__((noinline)) void free_slowly(void *address)
{
    if (freed(FREE, address))
        real.free(address);
}

EXPORT void HOOK(free)(void *address)
{
    if (LIKELY(put_owned(FREE, (uintptr_t)address, 0)))
        real.free(address);
    else
        free_slowly(address);
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
