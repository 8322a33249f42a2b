/* Rows: the rules of DWARF (see dwarf.c) for a return address, in one word. */

#define UNKNOWN 255 /* not an encoding */

union row {
    struct {
        uint64_t is_set : 1, cfa_how : 3, fp_how : 3;
        int64_t cfa : 19, fp : 19, ra : 19;
    };
    uint64_t bits; /* never 0; if only is_set is 1, the stack ends here */
};

/* Return the frame description entry (FDE) of the last function that begins at or before an
 * address, and set `function` to the function's address. Return NULL if no function does. `index`
 * is the object's .eh_frame_hdr, a sorted table, in the form that every linker writes. */
static const uint8_t *find_fde(uint64_t address, const uint8_t *index, uint64_t *function)
{
    struct { int32_t function, fde; } const *table = (const void *)(index + 12);
    uint32_t low = 0, high;
    memcpy(&high, index + 8, sizeof high);
    if (memcmp(index, "\1\x1b\3\x3b", 4))
        return NULL;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((uint64_t)index + table[middle].function <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    *function = (uint64_t)index + table[low - 1].function;
    return index + table[low - 1].fde;
}

/* Return the size of an encoded address (DW_EH_PE_*). */
static int encoded_size(uint8_t encoding)
{
    static const int sizes[16] = {8, 0, 2, 4, 8, 0, 0, 0, 0, 0, 2, 4, 8};
    return sizes[encoding & 15];
}

/* Read the common information entry (CIE) of an FDE: the units, and the rules at the beginning of
 * each function. Return the encoding of addresses, or UNKNOWN if the entry is not understood. */
static uint8_t read_cie(const uint8_t *cie, struct reader *units, struct rules *rules)
{
    uint32_t length;
    memcpy(&length, cie, sizeof length);
    struct reader reader = {.at = cie + 9, .end = cie + 4 + length};
    const char *letters = (const char *)reader.at;
    uint8_t version = cie[8], encoding = 0;
    reader.at += strlen(letters) + 1;
    units->code_unit = reader.code_unit = read_leb(&reader, false);
    units->data_unit = reader.data_unit = read_leb(&reader, true);
    if (version == 1)
        reader.at++; /* the number of the RA register */
    else
        read_leb(&reader, false);
    if (*letters != 'z')
        return UNKNOWN;
    size_t data_length = read_leb(&reader, false);
    const uint8_t *data = reader.at;
    reader.at += data_length;
    for (letters++; *letters; letters++) {
        if (*letters == 'R')
            encoding = *data++;
        else if (*letters == 'L')
            data++;
        else if (*letters == 'P')
            data += 1 + encoded_size(*data);
        else if (*letters != 'B')
            return UNKNOWN; /* S: the function that a signal handler returns to */
    }
    return run(reader, 0, rules) ? encoding : UNKNOWN;
}

/* Return the rules of an FDE for an address in the function; ra.how is UNDEFINED on failure. */
static struct rules read_fde(const uint8_t *fde, uint64_t offset)
{
    static const struct rules none;
    struct rules rules = {.fp = {SAME, 0}};
    uint32_t length, cie;
    memcpy(&length, fde, sizeof length);
    memcpy(&cie, fde + 4, sizeof cie);
    struct reader reader = {.at = fde + 8, .end = fde + 4 + length};
    uint8_t encoding = read_cie(fde + 4 - cie, &reader, &rules);
    if (encoding == UNKNOWN)
        return none;
    reader.at += encoded_size(encoding); /* the address of the function */
    if (offset >= read_fixed(&reader, encoded_size(encoding)))
        return none;
    size_t data_length = read_leb(&reader, false);
    reader.at += data_length;
    return run(reader, offset, &rules) ? rules : none;
}

/* Return the row for the return address `ip` of a function in an object. */
static union row read_row(uint64_t ip, const struct dl_find_object *object)
{
    static const union row end = {{.is_set = 1}};
    uint64_t call = ip - 1, function; /* if the function ends with a call, ip is after it */
    const uint8_t *index = object->dlfo_eh_frame;
    const uint8_t *fde = index ? find_fde(call, index, &function) : NULL;
    if (!fde)
        return end;
    struct rules rules = read_fde(fde, call - function);
    union row row = {{1, rules.cfa.how, rules.fp.how, rules.cfa.offset, rules.fp.offset,
                      rules.ra.offset}};
    bool fits = row.cfa == rules.cfa.offset && row.fp == rules.fp.offset &&
                row.ra == rules.ra.offset;
    return fits && rules.ra.how == AT_CFA ? row : end;
}
