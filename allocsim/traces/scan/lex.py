"""Numbers and lines of text: kernels that read one and say where it ends.

Below the compiled scanners of text, above nothing but the core. Each takes the bytes, a position
and the scan record; `scan.position` is then behind what was read, or -1 if it was not there. Its
one rule: the text ends with a newline and PADDING bytes, so nothing here looks for an end.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word
from allocsim.traces.calls import ADDRESS_BITS, HUGE

SPACE, NEWLINE, RETURN, ZERO, X = (ord(character) for character in " \n\r0x")

EXACT = 18
"""Decimal digits that always fit; a longer number is HUGE."""

MOST_DIGITS = 20
"""Digits of the largest 64-bit number; more are no number of a recording."""


def word(text: bytes) -> int:
    """Up to eight bytes as `load_word` gives them: the byte order of x86 and of Linux on ARM."""
    return int.from_bytes(text.ljust(8, b"\0"), "little")


_NIL = word(b"(nil)")


@kernel
def word_at(scan: np.record, position: int, length: int) -> int:
    """The first `length` bytes at `position`, at most 7, as `word` gives them."""
    return load_word(scan.text + position) & ((1 << 8 * length) - 1)


@kernel
def decimal(text: np.ndarray, position: int, scan: np.record) -> int:
    """Read up to MOST_DIGITS decimal digits; HUGE if there are more than EXACT."""
    value, first = 0, position
    digit = int(text[position]) - ZERO
    while 0 <= digit <= 9 and position < first + EXACT:
        value = 10 * value + digit
        position += 1
        digit = int(text[position]) - ZERO
    while 0 <= digit <= 9 and position <= first + MOST_DIGITS:
        value = HUGE
        position += 1
        digit = int(text[position]) - ZERO
    scan.position = position if first < position <= first + MOST_DIGITS else -1
    return value


@kernel
def hexadecimal(text: np.ndarray, position: int, scan: np.record) -> int:
    """Read up to 16 hexadecimal digits, of which the low ADDRESS_BITS bits count."""
    value, first = 0, position
    while position < first + 17:
        character = int(text[position])
        digit = character - ZERO
        if not 0 <= digit <= 9:
            digit = (character | 32) - 87  # letters of both cases: a is 10
            if not 10 <= digit <= 15:
                break
        value = (value & ((1 << (ADDRESS_BITS - 4)) - 1)) << 4 | digit
        position += 1
    scan.position = position if first < position < first + 17 else -1
    return value


@kernel
def prefixed(text: np.ndarray, position: int, scan: np.record) -> int:
    """Read 0x and a hexadecimal number."""
    if text[position] != ZERO or text[position + 1] != X:
        scan.position = -1
        return 0
    return hexadecimal(text, position + 2, scan)


@kernel
def pointer(text: np.ndarray, position: int, scan: np.record) -> int:
    """Read an address as printf's %p has it: 0x and digits, or for NULL (nil) or 0."""
    if text[position] == ZERO and text[position + 1] == X:
        return hexadecimal(text, position + 2, scan)
    scan.position = -1
    if word_at(scan, position, 5) == _NIL:
        scan.position = position + 5
    elif text[position] == ZERO:
        scan.position = position + 1
    return 0


@kernel
def hexadecimal_size(text: np.ndarray, position: int, scan: np.record) -> int:
    """Read a size as printf's %#lx has it: 0x and digits, or 0; HUGE if it is beyond 60 bits."""
    if text[position] != ZERO or text[position + 1] != X:
        scan.position = position + 1 if text[position] == ZERO else -1
        return 0
    first = position + 2
    while text[first] == ZERO:
        first += 1
    value = hexadecimal(text, position + 2, scan)
    return HUGE if scan.position - first > ADDRESS_BITS // 4 else value


@kernel
def next_decimal(text: np.ndarray, scan: np.record) -> int:
    """Read a blank and a decimal number at scan.position, unless that is -1."""
    position = scan.position
    if position < 0 or text[position] != SPACE:
        scan.position = -1
        return 0
    return decimal(text, position + 1, scan)


@kernel
def next_prefixed(text: np.ndarray, scan: np.record) -> int:
    """Read a blank, 0x and a hexadecimal number at scan.position, unless that is -1."""
    position = scan.position
    if position < 0 or text[position] != SPACE:
        scan.position = -1
        return 0
    return prefixed(text, position + 1, scan)


@kernel
def product(count: int, size: int) -> int:
    """count * size, or HUGE where that is beyond any heap."""
    if size and count > HUGE // size:
        return HUGE
    return min(count * size, HUGE)


@kernel
def behind_newline(text: np.ndarray, position: int) -> int:
    """The position behind a line's end, which may be a return and a newline; -1 if none is here."""
    if position < 0:
        return -1
    if text[position] == RETURN:
        position += 1
    return position + 1 if text[position] == NEWLINE else -1


@kernel
def has_newline(loaded: int) -> bool:
    """Whether one of the first seven bytes of a word is a newline; it is 1.5 times as fast.

    A byte that differs from a newline in no bit is 0, and only there a borrow passes bit 7 first.
    """
    differing = (loaded ^ 0x0A0A0A0A0A0A0A) & 0xFFFFFFFFFFFFFF
    return (differing - 0x01010101010101) & ~differing & 0x80808080808080 != 0


@kernel
def next_line(text: np.ndarray, scan: np.record, position: int) -> int:
    """The position behind the next newline, which there must be."""
    while not has_newline(load_word(scan.text + position)):
        position += 7
    while text[position] != NEWLINE:
        position += 1
    return position + 1
