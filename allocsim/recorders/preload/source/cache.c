/* Caches: tables from a key to a value that is not 0. Threads use them without a lock. A slot has
 * its value, and its key XOR the value. If two threads write to a slot at once, or one reads a slot
 * that another one has half written, the key that results differs from the key that is looked up,
 * and the slot is passed over. */

enum { WAYS = 4 }; /* slots that a key may be in; they fill a cache line */

static struct slot *slots_of(struct slot *table, size_t length, uint64_t key)
{
    return table + (key * UINT64_C(0x9E3779B97F4A7C15) >> 32) % (length / WAYS) * WAYS;
}

/* Return the value of a key, or 0 if the cache does not have it. */
static uint64_t cached(struct slot *table, size_t length, uint64_t key)
{
    struct slot *slots = slots_of(table, length, key);
    for (int i = 0; i < WAYS; i++) {
        uint64_t value = __atomic_load_n(&slots[i].value, __ATOMIC_RELAXED);
        if (value && (__atomic_load_n(&slots[i].key_xor_value, __ATOMIC_RELAXED) ^ value) == key)
            return value;
    }
    return 0;
}

/* Set the value of a key, in a free slot or else in place of another key. */
static void keep(struct slot *table, size_t length, uint64_t key, uint64_t value)
{
    struct slot *slots = slots_of(table, length, key), *slot = slots + key % WAYS;
    for (int i = WAYS - 1; i >= 0; i--)
        if (!__atomic_load_n(&slots[i].value, __ATOMIC_RELAXED))
            slot = slots + i;
    __atomic_store_n(&slot->key_xor_value, key ^ value, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->value, value, __ATOMIC_RELAXED);
}
