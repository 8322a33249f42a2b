/* Large blocks: how many bytes of each the program has touched.
 *
 * When a large block is freed or resized, mincore reports which of its pages are in memory. A page
 * counts even if it was only read, or was touched in an earlier block. A table has the live blocks,
 * each in the slot that its address selects. A block whose slot is in use is not tracked. The
 * region of a tracked block has no owner (see stamp.c), so every free in it calls end_block(). That
 * looks at process.is_used first: 1 KiB that stays in the cache, which the table itself would not. */

#define LARGE (128 << 10) /* bytes; smaller blocks are seldom mapped by mmap, and usually touched */
#define PAGES 1024        /* per call of mincore */

static struct block *block_slot(uintptr_t address)
{
    return process.blocks + (address * UINT64_C(0x9E3779B97F4A7C15) >> 32) % BLOCKS;
}

/* Put a block into the table. No other thread knows the address yet. */
static void begin_block(uintptr_t address, size_t size)
{
    struct block *slot = block_slot(address);
    uintptr_t none = 0;
    if (size >= LARGE && __atomic_compare_exchange_n(&slot->address, &none, address, false,
                                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        slot->size = size;
        share_region(region_of(address));
        __atomic_store_n(process.is_used + (slot - process.blocks), true, __ATOMIC_RELAXED);
    }
}

/* Return the bytes of a block that are in memory, or the size of the block on failure. */
static uint64_t touched_bytes(uintptr_t address, size_t size)
{
    uintptr_t page = sysconf(_SC_PAGESIZE), at = address / page * page, end = address + size;
    uint64_t pages = 0;
    unsigned char resident[PAGES];
    for (; at < end; at += PAGES * page) {
        size_t length = end - at < PAGES * page ? end - at : PAGES * page;
        if (real.syscall(SYS_mincore, at, length, resident))
            return size;
        for (size_t i = 0; i < (length + page - 1) / page; i++)
            pages += resident[i] & 1;
    }
    return pages * page < size ? pages * page : size;
}

static void put_touched(const struct block *slot)
{
    int error = errno;
    uint64_t bytes = kept.is_sealed ? slot->size : touched_bytes(slot->address, slot->size);
    errno = error;
    put(TOUCHED, stamp_call(slot->address), 3, (uint64_t[]){slot->address & ADDRESS, bytes});
}

static __attribute__((noinline)) void end_block_in(struct block *slot, uintptr_t address)
{
    if (!address || __atomic_load_n(&slot->address, __ATOMIC_RELAXED) != address)
        return;
    put_touched(slot);
    __atomic_store_n(process.is_used + (slot - process.blocks), false, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->address, 0, __ATOMIC_RELEASE);
}

/* Record how much of a block was touched, and forget it. A block that is not tracked is ignored. */
static inline void end_block(void *address)
{
    struct block *slot = block_slot((uintptr_t)address);
    if (UNLIKELY(__atomic_load_n(process.is_used + (slot - process.blocks), __ATOMIC_RELAXED)))
        end_block_in(slot, (uintptr_t)address);
}

/* Record how much of each live block was touched so far. */
static void put_live_blocks(void)
{
    for (struct block *slot = process.blocks; slot < process.blocks + BLOCKS; slot++)
        if (__atomic_load_n(&slot->address, __ATOMIC_RELAXED))
            put_touched(slot);
}
