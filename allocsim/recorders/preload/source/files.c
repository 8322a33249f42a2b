/* The recording's files. The header and the windows of the lanes are mapped into the program. No
 * descriptor stays open. */

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

/* Open a file that is to have `size` bytes; return -1 and set `reason` on failure. This and the next
 * functions use raw system calls, because libc's open, pwrite and close are cancellation points, and
 * malloc must not be one. */
static int open_file(const char *path, int flags, uint64_t size, enum lost *reason)
{
    struct rlimit limit;
    *reason = FILE_LIMIT; /* growing the file beyond the limit would raise SIGXFSZ */
    if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur < size)
        return -1;
    int file = syscall(SYS_openat, AT_FDCWD, path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    *reason = errno == EMFILE || errno == ENFILE ? NO_DESCRIPTOR : NO_FILE;
    return file;
}

/* Write bytes to a file at an offset; return false on failure. */
static bool write_bytes(int file, const char *bytes, size_t length, uint64_t offset)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = syscall(SYS_pwrite64, file, bytes + done, length - done, offset + done);
        if (written <= 0 && !(written < 0 && errno == EINTR))
            return false;
        done += written > 0 ? written : 0;
    }
    return true;
}

/* Map a new file of zeros, at the address `window` unless it is NULL. Return NULL and set `reason`
 * on failure. The zeros are written, so that a later store to the mapped bytes cannot fail. On ext4,
 * this takes 2 us per page, and posix_fallocate 6 us. Writing works on every file system. On btrfs,
 * a store would need room for a copy, and raise SIGBUS if the disk is full, without FS_NOCOW_FL.
 * This was tried on Linux 6.18; older kernels may need the room even with the flag. */
static void *map_file(const char *path, void *window, size_t length, enum lost *reason)
{
    static const char zeros[CHUNK];
    int file = open_file(path, O_CREAT, length, reason), flags = FS_NOCOW_FL;
    long map = -1;
    if (file < 0)
        return NULL;
    *reason = NO_DISK;
    syscall(SYS_ioctl, file, FS_IOC_SETFLAGS, &flags); /* fails on most other file systems */
    if (write_bytes(file, zeros, length, 0)) {
        *reason = NO_SPACE;
        map = syscall(SYS_mmap, window, length, (long)(PROT_READ | PROT_WRITE),
                      (long)(MAP_SHARED | (window ? MAP_FIXED : 0)), (long)file, 0L);
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

/* Append the full window of a lane to the lane's file, then clear it for the next chunk. Return false
 * and set `reason` on failure. Mapping the next chunk of the file into the window instead takes twice
 * the time, and more if several threads do so at once. */
static bool empty_window(struct lane *lane, const char *path, enum lost *reason)
{
    uint64_t copied = lane->chunks - 1, offset = CHUNK * copied;
    int file = open_file(path, copied ? 0 : O_CREAT, offset + CHUNK, reason);
    if (file < 0)
        return false;
    bool is_written = write_bytes(file, lane->window, CHUNK, offset);
    syscall(SYS_close, file);
    *reason = NO_DISK;
    if (!is_written)
        return false;
    memset(lane->window, 0, CHUNK - sizeof copied);
    uint64_t *number = (uint64_t *)(lane->window + CHUNK) - 1;
    __atomic_store_n(number, copied + 1, __ATOMIC_RELEASE); /* from now on, the window counts */
    return true;
}

/* Give a lane its next chunk; return false and set `reason` on failure. */
static bool next_chunk(struct lane *lane, enum lost *reason)
{
    char path[MAX_PATH];
    *reason = NO_SPACE;
    if (!lane->window && !(lane->window = reserve_window()))
        return false;
    char *end = append(stpcpy(path, kept.path), '.', lane - process.lanes);
    if (lane->chunks) {
        if (!empty_window(lane, path, reason))
            return false;
    } else {
        strcpy(end, "w");
        if (!map_file(path, lane->window, CHUNK, reason))
            return false;
    }
    lane->chunks++;
    count(&process.header->chunks, 1);
    lane->cursor = (uint64_t)lane->window;
    return true;
}

/* Make this image's header the one that forked children inherit, instead of the inherited one. */
static void keep_header(struct header *header)
{
    if (kept.header)
        syscall(SYS_munmap, kept.header, (long)HEADER);
    madvise(header, HEADER, MADV_DOFORK);
    kept.header = header;
}

/* Count this image as one that cannot be recorded, if it is a forked child; return false. */
static bool give_up(enum lost reason)
{
    if (kept.header)
        count(&kept.header->children[reason], 1);
    return false;
}

/* Begin the file of this program image; return false if nothing is to be recorded. */
static bool start(void)
{
    enum lost reason;
    if (process.is_off)
        return false;
    process.is_off = true;
    self.cursor = NO_CHUNK; /* in a forked child: the parent's window is not mapped here */
    self.lane = NULL;
    if (kept.is_sealed)
        return give_up(SECCOMP);
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
    struct header *header = map_file(kept.path, NULL, HEADER, &reason);
    if (!header || madvise(&process, sizeof process, MADV_WIPEONFORK))
        return give_up(reason);
    keep_header(header);
    *header = (struct header){
        .magic = "allocrec", .version = 5, .process = number, .identity = kept.identity,
        .parent = parent, .forked = kept.forked, .is_tsc = kept.is_tsc};
    if (readlink("/proc/self/exe", header->program, sizeof header->program - 1) < 0)
        header->program[0] = 0;
    process.is_off = false;
    process.lanes_used = 1;
    *region_of((uintptr_t)arena) = *region_of((uintptr_t)arena + sizeof arena) = SHARED;
    process.caches = kept.has_sites ? map_memory(sizeof *process.caches) : NULL;
    struct thread before = self;
    self = (struct thread)NEW_THREAD;
    self.last = kept.identity;
    /* If a signal handler has forked this child in the middle of a call, the call goes on. */
    self.state = before.state;
    self.deleting = before.deleting;
    self.base_stamp = before.base_stamp;
    self.base_address = before.base_address;
    process.header = header;
    return true;
}
