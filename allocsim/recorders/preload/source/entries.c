/* Entries of lane 0: stacks, and the objects (executable and libraries) that contain their
 * addresses.
 *
 * A cache maps keys to the numbers of entries. The key of a stack is a hash of its addresses. The
 * key of an object is its first address. An entry that the cache has dropped is written again. The
 * entry of an object precedes the first stack with an address in that object. dlclose changes all
 * keys, because the addresses of an unmapped object may be used again. */

#define MAX_NAME 512

/* Return the key combined with the generation, which dlclose changes. */
static uint64_t in_generation(uint64_t key)
{
    return key ^ (uint64_t)__atomic_load_n(&process.generation, __ATOMIC_RELAXED) << 48;
}

/* Append an entry to lane 0; return false if there is no room. `head` is its first word. */
static bool append_entry(uint64_t head, const uint64_t *words, size_t length)
{
    struct lane *lane = process.lanes;
    enum lost reason;
    if (!lane->cursor || lane->cursor % CHUNK + 8 * (length + 1) > CHUNK - SLACK)
        if (!next_chunk(lane, &reason))
            return false;
    uint64_t *place = (uint64_t *)lane->cursor;
    memcpy(place + 1, words, 8 * length);
    __atomic_store_n(place, head, __ATOMIC_RELEASE);
    lane->cursor += 8 * (length + 1);
    return true;
}

/* Return the number of an entry, and append the entry if it is new. Return 0 if it cannot be
 * appended. Stacks are numbered from 1 on, in the order of lane 0; the number of an object is 1. */
static uint64_t number_of(enum entry entry, uint64_t key, const uint64_t *words, size_t length)
{
    uint64_t number = cached(process.caches->stacks, STACKS, key);
    sigset_t before;
    int error = errno;
    if (number || kept.is_sealed)
        return number;
    block_signals(&before);
    lock();
    number = cached(process.caches->stacks, STACKS, key);
    uint64_t next = entry == STACK ? process.sites + 1 : 1;
    if (!number && append_entry(next << 32 | length << 8 | entry, words, length)) {
        number = next;
        if (entry == STACK)
            process.header->stacks = process.sites = number;
        keep(process.caches->stacks, STACKS, key, number);
    }
    unlock();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return number;
}

static void note_object(const struct dl_find_object *object)
{
    uint64_t start = (uintptr_t)object->dlfo_map_start;
    uint64_t words[3 + MAX_NAME / 8] = {start, (uintptr_t)object->dlfo_map_end,
                                        object->dlfo_link_map->l_addr};
    strncpy((char *)(words + 3), object->dlfo_link_map->l_name, MAX_NAME - 1);
    number_of(OBJECT, in_generation(start), words, sizeof words / 8);
}
