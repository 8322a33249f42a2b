/* Walks of the stack, from a frame to the outermost one.
 *
 * A thread's memo has the frames of its last walk. If a frame is in the memo with the same
 * registers, the frames of its callers are valid too, as long as the stack words from which they
 * were read have not changed. Comparing these words is several times faster than looking up rows
 * (see rows.c), because no comparison waits for another one.
 *
 * A signal handler may interrupt a walk and walk itself. The interrupted walk is then repeated. */

#define MAX_DEPTH 256
#define MAX_FRAME (64 << 20) /* bytes of a function's frame */

struct frame { /* of a function that has called another one */
    uint64_t ip, sp, fp;
};

struct known {
    struct frame frame;
    const uint64_t *ip; /* word with the caller's ip; NULL: the ip depends on other words too */
    const uint64_t *fp; /* word with the caller's fp; NULL: the fp depends on no word */
    uint64_t hash;      /* of the addresses from the outermost frame to this one */
};

struct stack {
    uint64_t number; /* of the entry; 0 if the cache does not have it */
    uint64_t hash;   /* of the addresses */
    size_t depth;
    uint64_t addresses[MAX_DEPTH]; /* the innermost first; set only if `number` is 0 */
};

struct memo {
    struct known frames[MAX_DEPTH]; /* the outermost first */
    struct known found[MAX_DEPTH];  /* during a walk: its first frames, the innermost first */
    size_t depth;
    uint64_t generation, walks;
    bool is_whole; /* no walk is under way */
};

/* The frame of the caller of the function that uses this macro. */
#define CALLER                                                                                     \
    ((struct frame){(uintptr_t)__builtin_return_address(0), (uintptr_t)__builtin_dwarf_cfa(),      \
                    *(uintptr_t *)__builtin_frame_address(0)})

/* Return the row of a return address, from the cache if possible. */
static union row row_of(uint64_t ip)
{
    uint64_t key = in_generation(ip);
    union row row = {.bits = cached(process.caches->rows, ROWS, key)};
    struct dl_find_object object;
    if (LIKELY(row.bits))
        return row;
    row.is_set = 1;
    if (_dl_find_object((void *)(ip - 1), &object) == 0) {
        note_object(&object);
        row = read_row(ip, &object);
    }
    keep(process.caches->rows, ROWS, key, row.bits);
    return row;
}

/* Find the caller's frame and the words it depends on; return false at the end of the stack. */
static bool step(struct known *known, struct frame *caller)
{
    const struct frame *frame = &known->frame;
    union row row = row_of(frame->ip);
    uint64_t base = row.cfa_how == SP_PLUS ? frame->sp : frame->fp, cfa = base + row.cfa;
    if (row.cfa_how == UNDEFINED || base - frame->sp > MAX_FRAME || base % 8)
        return false;
    if (row.cfa_how == AT_FP)
        cfa = *(uint64_t *)cfa;
    if (cfa - frame->sp - 1 > MAX_FRAME || cfa % 8)
        return false;
    const uint64_t *ip = (uint64_t *)(cfa + row.ra);
    known->fp = row.fp_how == AT_CFA  ? (uint64_t *)(cfa + row.fp)
                : row.fp_how == AT_FP ? (uint64_t *)(frame->fp + row.fp)
                                      : NULL;
    known->ip = row.cfa_how == AT_FP ? NULL : ip;
    *caller = (struct frame){*ip, cfa, known->fp ? *known->fp : row.fp_how == SAME ? frame->fp : 0};
    return caller->ip != 0;
}

/* Return the index of the memo's outermost valid frame. The frame at index `last` must be valid. */
static size_t unchanged(const struct memo *memo, size_t last)
{
    const struct known *known = memo->frames + last;
    for (; known > memo->frames && known->ip; known--)
        if (*known->ip != known[-1].frame.ip || (known->fp && *known->fp != known[-1].frame.fp))
            break;
    return known - memo->frames;
}

static uint64_t add_to_hash(uint64_t hash, uint64_t address)
{
    hash = (hash ^ address) * UINT64_C(0xFF51AFD7ED558CCD);
    return hash ^ hash >> 32;
}

/* Append the first `count` frames of `found` to the first `common` frames of the memo. */
static void remember(struct memo *memo, size_t common, size_t count)
{
    for (struct known *to = memo->frames + common; count; to++) {
        *to = memo->found[--count];
        to->hash = add_to_hash(to > memo->frames ? to[-1].hash : in_generation(1), to->frame.ip);
        memo->depth = to - memo->frames + 1;
    }
}

static bool is_interrupted(const struct memo *memo, uint64_t walks)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&memo->walks, __ATOMIC_RELAXED) != walks;
}

/* Walk from `frame` on, and set the memo to the frames found. The memo is invalid if a signal
 * handler has walked in the meantime. */
static void walk_once(struct memo *memo, struct frame frame, uint64_t walks)
{
    size_t count = 0, old = memo->depth;
    struct known now = {.frame = frame};
    do {
        now.frame = frame;
        while (old && memo->frames[old - 1].frame.sp < frame.sp)
            old--;
        if (old && memcmp(&memo->frames[old - 1].frame, &frame, sizeof frame) == 0) {
            size_t outermost = unchanged(memo, old - 1);
            now = memo->frames[outermost];
            if (is_interrupted(memo, walks))
                return;
            if (outermost == 0 && count + old <= MAX_DEPTH && !step(&now, &frame)) {
                memo->depth = old;
                remember(memo, old, count);
                return;
            }
            while (--old > outermost && count < MAX_DEPTH - 1)
                memo->found[count++] = memo->frames[old];
            now = memo->frames[old];
        }
        if (is_interrupted(memo, walks))
            return;
        bool has_caller = step(&now, &frame);
        memo->found[count++] = now;
        if (!has_caller)
            break;
    } while (count < MAX_DEPTH);
    remember(memo, 0, count);
}

/* Walk from `frame` on, and set `stack`. */
static void walk(struct memo *memo, struct frame frame, struct stack *stack)
{
    uint64_t walks, generation = in_generation(0);
    do {
        walks = __atomic_add_fetch(&memo->walks, 1, __ATOMIC_RELAXED);
        if (!memo->is_whole || memo->generation != generation)
            memo->depth = 0;
        memo->is_whole = false;
        memo->generation = generation;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        walk_once(memo, frame, walks);
        stack->depth = memo->depth;
        stack->hash = memo->depth ? memo->frames[memo->depth - 1].hash : 0;
        stack->number = cached(process.caches->stacks, STACKS, stack->hash);
        if (!stack->number)
            for (size_t i = 0; i < stack->depth; i++)
                stack->addresses[i] = memo->frames[stack->depth - 1 - i].frame.ip;
        memo->is_whole = !is_interrupted(memo, walks);
    } while (!memo->is_whole);
}
