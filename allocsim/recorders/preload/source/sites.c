/* Call sites: the stack of return addresses of each call that allocates.
 *
 * A stack has a number. The number is in the record of the call, and the addresses are in lane 0,
 * in the order of the numbers. A cache has the number of each stack by a hash of its addresses. A
 * stack that the cache has lost gets another number. Lane 0 also has the objects (executable and
 * libraries) that contain the addresses, each before the first stack with an address in it. When
 * dlclose has unmapped objects, all stacks and objects are new, since addresses may be used again.
 */

#define MAX_DEPTH 256
#define MAX_NAME 512

static uint64_t in_generation(uint64_t key)
{
    return key ^ (uint64_t)__atomic_load_n(&process.generation, __ATOMIC_RELAXED) << 48;
}

/* Append an entry to lane 0; return its place, or NULL if there is no room. */
static uint64_t *append_entry(enum entry entry, const uint64_t *words, size_t length)
{
    struct lane *lane = process.lanes;
    enum lost reason;
    if (!lane->window || CHUNK - lane->cursor % CHUNK <= 8 * (length + 1))
        if (!next_chunk(lane, &reason))
            return NULL;
    uint64_t *place = (uint64_t *)lane->cursor;
    memcpy(place + 1, words, 8 * length);
    __atomic_store_n(place, length << 8 | entry, __ATOMIC_RELEASE);
    lane->cursor += 8 * (length + 1);
    return place;
}

/* Return the number under which an entry of lane 0 is known, which is appended if it is new; 0 if
 * that is not possible. Only the numbers of stacks are without gaps. */
static uint64_t number_of(enum entry entry, uint64_t key, const uint64_t *words, size_t length)
{
    uint64_t number = cached(process.stacks, STACKS, key);
    sigset_t before;
    int error = errno;
    if (number || process.is_sealed)
        return number;
    block_signals(&before);
    lock();
    number = cached(process.stacks, STACKS, key);
    if (!number && append_entry(entry, words, length)) {
        number = entry == STACK ? ++process.sites : 1;
        keep(process.stacks, STACKS, key, number);
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

/* Return the row of a return address, from the cache if it is there. */
static union row row_of(uint64_t ip)
{
    uint64_t key = in_generation(ip);
    union row row = {.bits = cached(process.rows, ROWS, key)};
    struct dl_find_object object;
    if (LIKELY(row.bits))
        return row;
    row.is_set = 1;
    if (_dl_find_object((void *)(ip - 1), &object) == 0) {
        note_object(&object);
        row = read_row(ip, &object);
    }
    keep(process.rows, ROWS, key, row.bits);
    return row;
}

/* Return the number of the stack that begins with `frame`, 0 if it is not known. */
static __attribute__((noinline)) uint64_t site_of(struct frame frame)
{
    uint64_t addresses[MAX_DEPTH], hash = in_generation(1);
    size_t depth = 0;
    union row row;
    if (!is_recording())
        return 0;
    do {
        addresses[depth++] = frame.ip;
        hash = (hash ^ frame.ip) * UINT64_C(0xFF51AFD7ED558CCD);
        hash ^= hash >> 32;
        row = row_of(frame.ip);
    } while (depth < MAX_DEPTH && step(&frame, row));
    uint64_t number = number_of(STACK, hash, addresses, depth);
    if (!number)
        count(&process.header->siteless, 1);
    return number;
}

/* The number of the stack of the hook in which this is; 0 if no stacks are recorded. */
#define SITE (UNLIKELY(kept.has_sites) ? site_of(CALLER) : 0)

EXPORT int HOOK(dlclose)(void *library)
{
    if (!RESOLVED)
        return -1;
    __atomic_fetch_add(&process.generation, 1, __ATOMIC_RELAXED);
    int result = real.dlclose(library);
    __atomic_fetch_add(&process.generation, 1, __ATOMIC_RELAXED);
    return result;
}
