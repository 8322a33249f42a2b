/* DWARF call frame information: how to get from a frame of the stack to the caller's frame. By
 * default, compilers write this information to .eh_frame for every function, for exceptions.
 *
 * The canonical frame address (CFA) is the caller's stack pointer after the return. Only the rules
 * for the CFA, the caller's frame pointer (FP) and the return address (RA) are kept, because a walk
 * needs no others. */

#ifdef __x86_64__
enum { FP = 6, SP = 7, RA = 16 }; /* numbers of registers in DWARF */
#else
enum { FP = 29, SP = 31, RA = 30 };
#endif

enum how { UNDEFINED, SAME, SP_PLUS, FP_PLUS, AT_FP, AT_CFA };

struct rule { /* where a value is, with an offset */
    enum how how;
    int64_t offset;
};

struct rules {
    struct rule cfa, fp, ra;
};

struct reader {
    const uint8_t *at, *end;
    uint64_t code_unit;
    int64_t data_unit;
};

struct instruction {
    unsigned code;
    uint64_t number; /* of a register */
    int64_t value;
    struct rule expression;
};

static uint64_t read_fixed(struct reader *reader, int bytes)
{
    uint64_t number = 0;
    memcpy(&number, reader->at, bytes);
    reader->at += bytes;
    return number;
}

/* Read a LEB128 number. */
static int64_t read_leb(struct reader *reader, bool is_signed)
{
    uint64_t number = 0, byte;
    unsigned shift = 0;
    do {
        byte = *reader->at++;
        number |= shift < 64 ? (byte & 127) << shift : 0;
        shift += 7;
    } while (byte & 128);
    return is_signed && byte & 64 && shift < 64 ? number | -(UINT64_C(1) << shift) : number;
}

static enum how plus(uint64_t number)
{
    return number == FP ? FP_PLUS : number == SP ? SP_PLUS : UNDEFINED;
}

/* Return the rule of an expression: a register plus an offset, or the word at that address. */
static struct rule read_expression(struct reader *reader)
{
    size_t length = read_leb(reader, false);
    struct reader block = {.at = reader->at, .end = reader->at + length};
    reader->at = block.end;
    struct rule rule = {length ? plus(*block.at++ - 0x70 /* DW_OP_breg0 */) : UNDEFINED, 0};
    if (rule.how != UNDEFINED)
        rule.offset = read_leb(&block, true);
    if (block.at == block.end)
        return rule;
    bool is_load = *block.at == 0x06 /* DW_OP_deref */ && block.at + 1 == block.end;
    rule.how = rule.how == FP_PLUS && is_load ? AT_FP : UNDEFINED;
    return rule;
}

/* Read an instruction (DW_CFA_*); return false if it is not known. */
static bool read_instruction(struct reader *reader, struct instruction *read)
{
    /* Operands. 1, 2, 4: a number of that many bytes; u: unsigned LEB128; f, s: unsigned and signed
     * LEB128 in data units; r: a register; e: an expression. */
    static const char *const operands[64] = {
        "", NULL, "1", "2", "4", "rf", "r", "r", "r", "ru", "", "", "ru", "r", "u", "e",
        "re", "rs", "rs", "s", "ru", "rs", "re", [0x2d] = "", [0x2e] = "u"};
    static const unsigned short_forms[] = {0, 2, 5, 6}; /* the first operand is in the low bits */
    unsigned code = *reader->at++, high = code >> 6, low = code & 63;
    *read = (struct instruction){high ? short_forms[high] : low, low, low, {UNDEFINED, 0}};
    const char *form = operands[read->code];
    if (!form)
        return false;
    for (form += high != 0; *form; form++) {
        if (*form == 'r')
            read->number = read_leb(reader, false);
        else if (*form == 'e')
            read->expression = read_expression(reader);
        else if (*form == 'u')
            read->value = read_leb(reader, false);
        else if (*form == 'f' || *form == 's')
            read->value = read_leb(reader, *form == 's') * reader->data_unit;
        else
            read->value = read_fixed(reader, *form - '0');
    }
    return true;
}

/* Return the rule of a register, or `other` if the register's rule is not kept. */
static struct rule *rule_of(struct rules *rules, uint64_t number, struct rule *other)
{
    return number == FP ? &rules->fp : number == RA ? &rules->ra : other;
}

static void apply(const struct instruction *read, struct rules *initial, struct rules *now)
{
    struct rule other = {UNDEFINED, 0}, *rule = rule_of(now, read->number, &other);
    switch (read->code) {
    case 0x05: case 0x11: /* offset */
        *rule = (struct rule){AT_CFA, read->value};
        break;
    case 0x06: /* restore */
        *rule = *rule_of(initial, read->number, &other);
        break;
    case 0x07: case 0x09: case 0x14: case 0x15: case 0x16: /* undefined, or has no rule here */
        *rule = (struct rule){UNDEFINED, 0};
        break;
    case 0x08: /* same_value */
        *rule = (struct rule){SAME, 0};
        break;
    case 0x0c: case 0x12: /* def_cfa */
        now->cfa = (struct rule){plus(read->number), read->value};
        break;
    case 0x0d: /* def_cfa_register */
        now->cfa.how = plus(read->number);
        break;
    case 0x0e: case 0x13: /* def_cfa_offset */
        now->cfa.offset = read->value;
        break;
    case 0x0f: /* def_cfa_expression */
        now->cfa = read->expression;
        break;
    case 0x10: /* expression: the address of the value */
        *rule = read->expression;
        rule->how = rule->how == FP_PLUS ? AT_FP : UNDEFINED;
        break;
    }
}

/* Run the instructions for the first `length` bytes of a function. Return false if one of them is
 * not known. */
static bool run(struct reader reader, uint64_t length, struct rules *now)
{
    struct rules initial = *now, remembered[4];
    struct instruction read;
    unsigned depth = 0;
    for (uint64_t offset = 0; reader.at < reader.end;) {
        if (!read_instruction(&reader, &read))
            return false;
        if (read.code >= 0x02 && read.code <= 0x04 /* advance_loc */) {
            if ((offset += read.value * reader.code_unit) > length)
                return true;
        } else if (read.code == 0x0a /* remember_state */) {
            if (depth == sizeof remembered / sizeof *remembered)
                return false;
            remembered[depth++] = *now;
        } else if (read.code == 0x0b /* restore_state */) {
            if (!depth)
                return false;
            *now = remembered[--depth];
        } else
            apply(&read, &initial, now);
    }
    return true;
}
