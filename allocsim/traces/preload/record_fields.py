"""Kernels that decode a record: the operation, the stamp, the address and the size in its words.

`layout` defines records. A record is SHORT, SMALL or neither; its first word, the head, says which.
"""

from __future__ import annotations

from allocsim.call_sites.table import MAX_NODES
from allocsim.core.jit import kernel
from allocsim.core.raw import load_word
from allocsim.traces.calls import HUGE
from allocsim.traces.preload.layout import (
    ADDRESS_BITS,
    CODE,
    OP_BITS,
    SHORT,
    SMALL,
    STAMP_BITS,
    UNIT,
    WITH_SITE,
    WORDS,
    Code,
)

ADDRESS = (1 << 56) - 1
"""The bits of a word that are an address."""

_SMALL_ADDRESS = (1 << 48) - 1
_ADDRESS_AT = OP_BITS + STAMP_BITS  # the lowest bit of a SHORT record's address
_SIZE_AT = _ADDRESS_AT + ADDRESS_BITS
_SHORT_STAMP, _SHORT_ADDRESS = (1 << STAMP_BITS) - 1, (1 << ADDRESS_BITS) - 1
_SHORT_SIZE = (1 << 64 - _SIZE_AT) - 1


@kernel
def is_operation(head: int) -> bool:
    """Return whether a record with this head has an operation that exists."""
    code = head & CODE
    if head & SHORT:
        return 0 < code <= Code.DELETE
    return 0 < code <= (Code.REALLOCARRAY if head & SMALL else Code.BASE)


@kernel
def words_of(head: int) -> int:
    """Return the number of words of the record with this head."""
    if head & SHORT:
        return 1
    return WORDS[head & CODE] + (1 if head & WITH_SITE else 0) - (1 if head & SMALL else 0)


@kernel
def stamp_of(head: int, base: int) -> int:
    """Return the stamp of the record; the stamp of a SHORT record is relative to `base`."""
    return base + (head >> OP_BITS & _SHORT_STAMP) if head & SHORT else head >> 8


@kernel
def address_of(position: int, base: int) -> int:
    """Return the address in the record at `position`.

    The address in a SHORT record is relative to `base`.
    """
    head = load_word(position)
    if head & SHORT:
        return base + UNIT * (head >> _ADDRESS_AT & _SHORT_ADDRESS) & _SMALL_ADDRESS
    return load_word(position + 8) & (_SMALL_ADDRESS if head & SMALL else ADDRESS)


@kernel
def request_of(position: int) -> int:
    """Return the size in the record at `position`, limited to HUGE."""
    head = load_word(position)
    if head & SHORT:
        return head >> _SIZE_AT & _SHORT_SIZE
    if head & SMALL:
        return load_word(position + 8) >> 48 & 0xFFFF
    return size_in(load_word(position + 16))


@kernel
def alignment_shift(position: int) -> int:
    """Return log2 of the alignment in the record at `position`, or 0 if it has none.

    Bits 56 to 61 of the address's word have this number, if that word has no size.
    """
    return 0 if load_word(position) & (SHORT | SMALL) else load_word(position + 8) >> 56 & 63


@kernel
def size_in(word: int) -> int:
    """Return the size that a word holds as an unsigned number, limited to HUGE."""
    return word if 0 <= word < HUGE else HUGE


@kernel
def stack_in(word: int) -> int:
    """Return the stack's number in a word; return 0 (unknown) for a number that is too large."""
    return word if 0 < word < MAX_NODES else 0
