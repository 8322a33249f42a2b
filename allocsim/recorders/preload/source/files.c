/* The recording's files. They are mapped into the program and grow chunk by chunk. No descriptor
 * stays open. */

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

/* Append zeros to the file, so that a later store to the mapped bytes cannot fail; return false on
 * failure. On ext4, writing takes 2 us per page, and posix_fallocate 6 us. Writing works on every
 * file system. */
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
 * set `reason` on failure. This uses raw system calls, because libc's open, pwrite and close are
 * cancellation points, and malloc must not be one. */
static void *map_file(const char *path, void *window, size_t length, uint64_t offset,
                      enum lost *reason)
{
    struct rlimit limit;
    long map = -1;
    *reason = FILE_LIMIT; /* growing the file beyond the limit would raise SIGXFSZ */
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

/* Return zeroed memory that a forked child does not inherit, or NULL on failure. */
static void *map_memory(size_t length)
{
    long map = syscall(SYS_mmap, NULL, length, (long)(PROT_READ | PROT_WRITE),
                       (long)(MAP_SHARED | MAP_ANONYMOUS), -1L, 0L);
    if (map == -1)
        return NULL;
    madvise((void *)map, length, MADV_DONTFORK);
    return (void *)map;
}

/* Reserve CHUNK bytes at a multiple of CHUNK. Return their address, or NULL on failure. */
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
    count(&process.header->chunks, 1);
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
        kept.is_tsc = is_set("ALLOCSIM_RECORD_TSC");
        kept.directory = length;
    }
    uint64_t parent = kept.identity, number = getpid();
    kept.identity = stamp();
    append(append(kept.path + kept.directory, '/', number), '-', kept.identity);
    struct header *header = map_file(kept.path, NULL, HEADER, 0, &reason);
    if (!header || madvise(&process, sizeof process, MADV_WIPEONFORK))
        return false;
    *header = (struct header){
        .magic = "allocrec", .version = 3, .process = number, .identity = kept.identity,
        .parent = parent, .forked = kept.forked, .is_tsc = kept.is_tsc};
    if (readlink("/proc/self/exe", header->program, sizeof header->program - 1) < 0)
        header->program[0] = 0;
    process.is_off = false;
    process.lanes_used = 1;
    process.caches = kept.has_sites ? map_memory(sizeof *process.caches) : NULL;
    memset(&self, 0, sizeof self);
    self.last = kept.identity;
    process.header = header;
    return true;
}
