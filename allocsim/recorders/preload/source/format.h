/* The files of a recording. layout.py and images.py of allocsim/traces/preload have the
 * same definitions.
 *
 * A program image is a process until it calls exec; each exec begins another image. An image has a
 * file PID-STAMP with one struct header, and files for each of its lanes. A lane is a sequence of
 * records, in chunks of CHUNK bytes; the unused end of a chunk is zero. One thread at a time writes
 * to a lane. When the thread ends, the next new thread takes over the lane.
 *
 * The last chunk of lane N is in a file PID-STAMP.Nw, which is mapped: the lane's window. When the
 * window is full, it is appended to the file PID-STAMP.N and cleared. The window's last word is the
 * number of chunks before it. If PID-STAMP.N has more chunks, the program ended before the window was
 * cleared, and the window does not count.
 *
 * A record is one or more words. The first word has the operation and a stamp. The other words have an
 * address and further arguments. The first word is never 0; it is UNWRITTEN until the others are
 * written. A record is in the file before the program gets the result of the call, so it survives
 * SIGKILL.
 *
 * Most records are one word, with these fields from the top bit down: size, address, stamp, SHORT,
 * operation. The address and the stamp are differences from those in the lane's last BASE record, the
 * address in multiples of UNIT bytes. */
#define HEADER 4096 /* bytes of the file of a header */
#define CHUNK (128 << 10)
#define SLACK 512 /* bytes at a chunk's end, into which a cursor may run (see reserve) */
#define UNIT 16   /* bytes; almost all addresses from malloc are multiples of it */
#define OP_BITS 6 /* this and the next three: widths of the fields of a record of one word */
#define STAMP_BITS 16
#define ADDRESS_BITS 28
#define SIZE_BITS 14
#define TEXT 32   /* bytes of a program's or a thread's name */
#define ADDRESS (UINT64_MAX >> 8) /* the address in a word; the top byte may be a tag */

enum op {
    MALLOC = 1, CALLOC, MEMALIGN, POSIX_MEMALIGN, ALIGNED_ALLOC, VALLOC, PVALLOC, NEW, NEW_ALIGNED,
    REALLOC_NULL, REALLOCARRAY_NULL, /* realloc of NULL, an allocation */
    REALLOC, REALLOCARRAY,           /* first record, before the call: the old address */
    RESIZED,                         /* second record, after it: the new address, 0 on failure */
    FREE, DELETE,
    BEGIN, END, NAME, /* of a thread */
    EXEC, EXEC_FAILED,
    UNWRITTEN, /* put() did not finish, because of SIGKILL or longjmp in a signal handler */
    TOUCHED,   /* before the end of a large block: its address, and the bytes in memory */
    BASE,      /* see above */
    /* Added to an operation: */
    SHORT = 32,      /* the record is one word */
    SMALL = 64,      /* the size has no word; it is in the top 16 bits of the address's word */
    WITH_SITE = 128, /* one more word follows, the call's site */
};

/* Kinds of entries of lane 0, which has no records. The low byte of an entry's first word is the
 * kind, the next three bytes are the number of further words, and the upper half is the stack's
 * number. */
enum entry {
    STACK = 1, /* return addresses, the innermost first */
    OBJECT,    /* begin, end, load address, and name of an executable or library */
};

/* Why calls, or all calls of a forked child, are lost. */
enum lost { FILE_LIMIT, NO_DESCRIPTOR, NO_FILE, NO_DISK, NO_SPACE, NO_LANE, SECCOMP };

enum flag { OWN_MALLOC = 1, DEEPBIND = 2, USABLE_SIZE = 4, ENDED = 8 };

struct header {
    char magic[8];
    uint64_t version;
    uint64_t process;
    uint64_t identity; /* stamp of the first call */
    uint64_t parent;   /* identity of the image that forked this one, or 0 */
    uint64_t forked;   /* stamp before that fork */
    uint64_t is_tsc;   /* 1: stamps are TSC ticks; 0: ns of CLOCK_MONOTONIC */
    uint64_t flags;
    uint64_t maps, mapped, unmaps, unmapped; /* calls and bytes outside of malloc */
    uint64_t lost[16];                       /* lost calls, by reason */
    char program[256];
    uint64_t siteless; /* allocations whose site could not be recorded */
    uint64_t chunks;   /* of all lanes */
    uint64_t stacks;   /* in lane 0 */
    uint64_t children[16]; /* forked children that could not begin a recording, by reason */
    uint64_t now;          /* time of the last sample; a thread whose last stamp is earlier reads the clock */
};
