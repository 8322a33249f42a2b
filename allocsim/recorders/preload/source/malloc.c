/* Hooks: malloc and its family. */

/* Write a record of an allocation, with the number of its site unless the number is 0. A smaller
 * record costs less: 2 of 44 ns in threads that allocate and free 16 to 1,024 bytes at a time. */
static INLINE void put_sized(enum op op, uint64_t address, size_t size, uint64_t site)
{
    if (UNLIKELY(site))
        put(op | WITH_SITE, stamp_call(address), 4, (uint64_t[]){address, size, site});
    else if (LIKELY(size < 1 << 16 && address < UINT64_C(1) << 48))
        put(op | SMALL, stamp_call(address), 2, (uint64_t[]){address | size << 48});
    else
        put(op, stamp_call(address), 3, (uint64_t[]){address, size});
}

static INLINE void *allocated(enum op op, void *result, size_t size, size_t alignment,
                              uint64_t site)
{
    if (is_recording()) {
        self.allocated = (uintptr_t)result & ADDRESS;
        self.has_failed |= !result;
        uint64_t shift = alignment ? 63 - __builtin_clzll(alignment) : 0;
        put_sized(op, self.allocated | shift << 56, size, site);
        if (UNLIKELY(size >= LARGE) && result)
            begin_block((uintptr_t)result, size);
    }
    return result;
}

static INLINE void put_address(enum op op, uint64_t when, void *address)
{
    put(op, when, 2, (uint64_t[]){(uintptr_t)address & ADDRESS});
}

static INLINE void freed(enum op op, void *address)
{
    end_block(address);
    if (is_recording())
        put_address(op, stamp_call((uintptr_t)address), address);
}

/* Return the product, or SIZE_MAX on overflow: no allocator can allocate SIZE_MAX bytes. */
static inline size_t product(size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? SIZE_MAX : total;
}

/* Set `result` to the result of `call`, a call of the program's malloc family. */
#define INSIDE(result, call) (self.is_allocating = true, result = call, self.is_allocating = false)

/* Define the hook of a function that returns `size` bytes at a multiple of `alignment`. */
#define ALLOCATION(op, name, parameters, passed, size, alignment)                               \
    EXPORT void *HOOK(name) parameters                                                             \
    {                                                                                              \
        void *result;                                                                              \
        if (!RESOLVED)                                                                             \
            return bootstrap(size, alignment);                                                     \
        INSIDE(result, real.name passed);                                                       \
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
    INSIDE(error, real.posix_memalign(result, alignment, size));
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
    if (address && is_recording()) {
        end_block(address);
        put_sized(op, (uintptr_t)address & ADDRESS, size, site);
    }
    INSIDE(result, real.realloc(address, size));
    if (!address)
        return allocated(op == REALLOC ? REALLOC_NULL : REALLOCARRAY_NULL, result, size, 0, site);
    if (is_recording()) /* if the call has failed, the block is still at its old address */
        put_address(RESIZED, stamp_call((uintptr_t)(result ? result : address)), result);
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
