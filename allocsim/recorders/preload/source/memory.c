/* Hooks: memory that the program obtains without malloc. Calls and bytes are only counted. */

#define CALLER_CODE (uintptr_t)__builtin_return_address(0)

/* Return whether a call from `caller`, an address of code, is counted. Memory that malloc's own library
 * obtains is not the program's own. */
static bool is_counted(uintptr_t caller)
{
    return process.header && caller - malloc_code >= malloc_code_size;
}

static void note_map(uintptr_t caller, size_t length)
{
    if (is_counted(caller)) {
        count(&process.header->maps, 1);
        count(&process.header->mapped, length);
    }
}

static void *map(uintptr_t caller, void *address, size_t length, int protection, int flags,
                 int file, off_t at)
{
    if (!RESOLVED)
        return MAP_FAILED;
    long result = real.syscall(SYS_mmap, address, length, (long)protection, (long)flags,
                               (long)file, at); /* a system call reads whole registers */
    if (result != -1 && flags & MAP_ANONYMOUS && protection & PROT_WRITE)
        note_map(caller, length);
    return (void *)result;
}

EXPORT void *HOOK(mmap)(void *address, size_t length, int protection, int flags, int file, off_t at)
{
    return map(CALLER_CODE, address, length, protection, flags, file, at);
}

EXPORT void *HOOK(mmap64)(void *address, size_t length, int protection, int flags, int file,
                          off_t at)
{
    return map(CALLER_CODE, address, length, protection, flags, file, at);
}

EXPORT void *HOOK(mremap)(void *old, size_t length, size_t size, int flags, ...)
{
    LONGS(flags, 1);
    if (!RESOLVED)
        return MAP_FAILED;
    long result = real.syscall(SYS_mremap, old, length, size, (long)flags, longs[0]);
    if (result != -1 && size > length)
        note_map(CALLER_CODE, size - length);
    return (void *)result;
}

/* Return the end of one of the recorder's mappings, and set `start`. If the mapping does not exist,
 * `start` becomes 0. */
static uintptr_t own_mapping(uint32_t number, uintptr_t *start)
{
    *start = number == 0   ? (uintptr_t)kept.header
             : number == 1 ? (uintptr_t)process.caches
                           : (uintptr_t)process.lanes[number - 2].window;
    return *start + (number == 0 ? HEADER : number == 1 ? sizeof *process.caches : CHUNK);
}

/* Unmap the range except the recorder's mappings in it, which the program does not know about. */
static int unmap(uintptr_t caller, void *address, size_t length)
{
    uintptr_t start = (uintptr_t)address, end = start + length;
    if (!RESOLVED)
        return -1;
    for (uint32_t i = 0; i < process.lanes_used + 2 && kept.header && end > start; i++) {
        uintptr_t own, own_end = own_mapping(i, &own);
        if (own && start < own_end && own < end)
            return (start < own ? unmap(caller, address, own - start) : 0) |
                   (own_end < end ? unmap(caller, (void *)own_end, end - own_end) : 0);
    }
    int result = real.syscall(SYS_munmap, address, length);
    if (result == 0 && is_counted(caller)) {
        count(&process.header->unmaps, 1);
        count(&process.header->unmapped, length);
    }
    return result;
}

EXPORT int HOOK(munmap)(void *address, size_t length)
{
    return unmap(CALLER_CODE, address, length);
}

EXPORT int HOOK(brk)(void *address)
{
    if (!RESOLVED)
        return -1;
    char *before = real.sbrk(0);
    int result = real.brk(address);
    if (result == 0 && (char *)address > before)
        note_map(CALLER_CODE, (char *)address - before);
    return result;
}

EXPORT void *HOOK(sbrk)(intptr_t increment)
{
    if (!RESOLVED)
        return (void *)-1;
    void *result = real.sbrk(increment);
    if (result != (void *)-1 && increment > 0)
        note_map(CALLER_CODE, increment);
    return result;
}
