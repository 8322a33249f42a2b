/* The recorder's state: of the process, of the program image, and of a thread.
 *
 * A forked child does not inherit the mappings of the files (MADV_DONTFORK) except the header. The
 * kernel zeroes the child's `process` (MADV_WIPEONFORK), so the child begins new files. If it cannot,
 * it counts itself in the inherited header. */
#define PAGE 65536 /* a multiple of every page size of Linux */
#define MAX_LANES 8192
#define REGIONS (1 << 11) /* elements of the table of regions */
#define ROWS (1 << 14)   /* slots of the caches */
#define STACKS (1 << 16)
#define BLOCKS (1 << 10) /* slots of the table of large blocks */
#define NO_CHUNK (CHUNK - SLACK) /* the cursor of a thread without a chunk: no record fits there */
#define NO_OWNER 2 /* `owner` of a thread that owns no region; not in the table of regions */
#define MAX_DIRECTORY 400
#define MAX_PATH (MAX_DIRECTORY + 64)

struct lane {
    char *window; /* CHUNK bytes, aligned to CHUNK; NULL before the first chunk */
    uint64_t cursor;
    uint64_t chunks;   /* in the lane's file, and one in the window */
    struct lane *next; /* in the list of free lanes */
    struct memo *memo; /* see walk.c; NULL before the first walk */
};

struct block { /* address 0: the slot is free */
    uintptr_t address;
    size_t size;
};

struct slot {
    uint64_t key_xor_value, value;
};

struct caches { /* shared memory, which does not count as anonymous memory of the program */
    struct slot rows[ROWS], stacks[STACKS];
};

static struct process {
    struct header *header; /* NULL: not recording yet, or in a forked child */
    bool is_off;           /* nothing is recorded */
    bool lock;
    uint32_t threads, lanes_used;
    struct lane *free_lanes;
    uint32_t sites; /* stacks that have a number */
    uint16_t generation; /* changed by dlclose; see entries.c */
    struct caches *caches; /* NULL: no stacks are recorded */
    struct block blocks[BLOCKS]; /* see blocks.c */
    bool is_used[BLOCKS];        /* whether the slot of `blocks` is in use */
    uint64_t regions[REGIONS];   /* owners or last stamps; see stamp.c */
    struct lane lanes[MAX_LANES]; /* lane 0 has no records; see entries.c */
} __attribute__((aligned(PAGE))) process; /* whole pages, for MADV_WIPEONFORK */

static struct { /* a forked child inherits this */
    uint64_t identity, forked;
    struct header *header; /* of this image; before start(), of the image that was forked */
    bool is_tsc, has_key, has_sites;
    bool is_sealed;      /* seccomp is on: the recorder makes no more system calls */
    pthread_key_t key;
    size_t directory;    /* length of the directory's path in `path` */
    char path[MAX_PATH]; /* of the header's file */
} kept;

#define NEW_THREAD {.cursor = NO_CHUNK, .owner = NO_OWNER}

static __thread struct thread {
    uint64_t cursor; /* address of the next record; below CHUNK: no chunk */
    struct lane *lane;
    uint64_t base_stamp, base_address; /* as in the last BASE record */
    uint64_t base_cursor;              /* the cursor at the last put_base() */
    uint32_t number;    /* of this thread in the process, from 1; 0: no number yet */
    unsigned round;     /* how often end_thread() has been called in this thread */
    uint64_t lost;      /* records lost in a row because there was no room */
    enum lost reason;   /* why there is no room */
    uint64_t last;      /* this thread's last stamp */
    uint64_t owner;     /* value of the elements of the regions that this thread owns; see stamp.c */
    uint64_t lag_mask;  /* the clock is read for a stamp without these bits; see stamp.c */
    uint64_t allocated; /* address of the last recorded allocation */
    void *deleting;     /* address recorded by operator delete; free does not record it again */
    bool has_failed;    /* a call was recorded as failed; see operators.c */
    uint8_t state;      /* what the thread is doing; see records.c */
} self __attribute__((tls_model("initial-exec"))) = NEW_THREAD;

static void lock(void)
{
    while (__atomic_test_and_set(&process.lock, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void unlock(void)
{
    __atomic_clear(&process.lock, __ATOMIC_RELEASE);
}

static void count(uint64_t *counter, uint64_t number)
{
    __atomic_fetch_add(counter, number, __ATOMIC_RELAXED);
}

static void flag(enum flag one)
{
    __atomic_fetch_or(&process.header->flags, one, __ATOMIC_RELAXED);
}
