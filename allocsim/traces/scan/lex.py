"""Lexing: kernels (compiled functions) that read one number or word of text.

Most kernels take the text, a position and the state of the scan, and return the value. They set
`state.position` to the position after the number or word, or to -1 if the text at the position is
not of the expected form. They do not check for the end of the text: the last line ends with a
newline, and up to PADDING bytes after it may be read (see `line_reader`).
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word
from allocsim.traces.calls import ADDRESS_BITS, HUGE
from allocsim.traces.scan.state import ScanState

SPACE, NEWLINE, RETURN, COMMA, ZERO, X = (ord(character) for character in " \n\r,0x")

EXACT_DIGITS = 18
"""Number of decimal digits that always fit into 62 bits. A longer number is read as HUGE."""

MAX_DIGITS = 20
"""Decimal digits of the largest 64-bit number. A longer string of digits is not a number."""

MAX_HEX_DIGITS = 16
"""Hexadecimal digits of the largest 64-bit number. A longer string of digits is not a number."""


def word(text: bytes) -> int:
    """Return up to eight bytes as the number that `load_word` loads from memory.

    The byte order is little-endian, as on x86 and on Linux on ARM.
    """
    return int.from_bytes(text.ljust(8, b"\0"), "little")


_NIL = word(b"(nil)")


@kernel
def word_at(state: ScanState, position: int, length: int) -> int:
    """Return the `length` (at most 7) bytes at `position` as the number that `word` returns."""
    return load_word(state.text + position) & ((1 << 8 * length) - 1)


@kernel
def decimal(text: np.ndarray, position: int, state: ScanState) -> int:
    """Read a decimal number of up to MAX_DIGITS digits; return the number.

    Returns HUGE if the number has more than EXACT_DIGITS digits.
    """
    value, first = 0, position
    digit = int(text[position]) - ZERO
    while 0 <= digit <= 9 and position < first + EXACT_DIGITS:
        value = 10 * value + digit
        position += 1
        digit = int(text[position]) - ZERO
    while 0 <= digit <= 9 and position <= first + MAX_DIGITS:
        value = HUGE
        position += 1
        digit = int(text[position]) - ZERO
    state.position = position if first < position <= first + MAX_DIGITS else -1
    return value


@kernel
def hexadecimal(text: np.ndarray, position: int, state: ScanState) -> int:
    """Read up to MAX_HEX_DIGITS hexadecimal digits; return the low ADDRESS_BITS bits."""
    value, first = 0, position
    while position < first + MAX_HEX_DIGITS + 1:
        character = int(text[position])
        digit = character - ZERO
        if not 0 <= digit <= 9:
            digit = (character | 32) - 87  # `| 32` makes a letter lower-case; 'a' is 10
            if not 10 <= digit <= 15:
                break
        # The mask drops the highest digit, so that the value never has more than ADDRESS_BITS bits.
        value = (value & ((1 << (ADDRESS_BITS - 4)) - 1)) << 4 | digit
        position += 1
    state.position = position if first < position < first + MAX_HEX_DIGITS + 1 else -1
    return value


@kernel
def prefixed(text: np.ndarray, position: int, state: ScanState) -> int:
    """Read 0x and a hexadecimal number; return the number."""
    if text[position] != ZERO or text[position + 1] != X:
        state.position = -1
        return 0
    return hexadecimal(text, position + 2, state)


@kernel
def pointer(text: np.ndarray, position: int, state: ScanState) -> int:
    """Read an address as printf's %p prints it: 0x and digits, or (nil) or 0 for NULL."""
    if text[position] == ZERO and text[position + 1] == X:
        return hexadecimal(text, position + 2, state)
    state.position = -1
    if word_at(state, position, 5) == _NIL:
        state.position = position + 5
    elif text[position] == ZERO:
        state.position = position + 1
    return 0


@kernel
def hexadecimal_size(text: np.ndarray, position: int, state: ScanState) -> int:
    """Read a size as printf's %#lx prints it: 0x and digits, or 0.

    Returns the size, or HUGE if it has more than 60 bits.
    """
    if text[position] != ZERO or text[position + 1] != X:
        state.position = position + 1 if text[position] == ZERO else -1
        return 0
    first = position + 2
    while text[first] == ZERO:
        first += 1
    value = hexadecimal(text, position + 2, state)
    return HUGE if state.position - first > ADDRESS_BITS // 4 else value


@kernel
def skip(text: np.ndarray, state: ScanState, character: int) -> int:
    """Skip `character` at state.position; return the position after `character`. Returns -1 if
    another character is at state.position. Also returns -1 if state.position is already -1, so that
    a caller can chain reads and check for failure once at the end.
    """
    position = state.position
    if position < 0 or text[position] != character:
        state.position = -1
        return -1
    return position + 1


@kernel
def next_decimal(text: np.ndarray, state: ScanState, separator: int) -> int:
    """Read a separator and a decimal number at state.position; fail if state.position is -1."""
    position = skip(text, state, separator)
    return decimal(text, position, state) if position >= 0 else 0


@kernel
def next_hexadecimal(text: np.ndarray, state: ScanState) -> int:
    """Read a space and a hexadecimal number at state.position; fail if state.position is -1."""
    position = skip(text, state, SPACE)
    return hexadecimal(text, position, state) if position >= 0 else 0


@kernel
def next_prefixed(text: np.ndarray, state: ScanState) -> int:
    """Read a space, 0x and a hexadecimal number at state.position; fail if state.position is -1."""
    position = skip(text, state, SPACE)
    return prefixed(text, position, state) if position >= 0 else 0


@kernel
def product(count: int, size: int) -> int:
    """Return count * size, or HUGE if the product is larger."""
    if size and count > HUGE // size:
        return HUGE
    return min(count * size, HUGE)


@kernel
def skip_line_end(text: np.ndarray, position: int) -> int:
    """Skip the line end at `position`: a newline, or a carriage return and a newline.

    Returns the position after the line end. Returns -1 if no line end is at `position`, or if
    `position` is already -1.
    """
    if position < 0:
        return -1
    if text[position] == RETURN:
        position += 1
    return position + 1 if text[position] == NEWLINE else -1


@kernel
def has_newline(loaded: int) -> bool:
    """Return whether one of the first seven bytes of a word is a newline.

    A byte XORed with a newline is 0 only if the byte is a newline. Bit 7 of (b - 1) & ~b is set
    only if the byte b is 0. Testing seven bytes together is 1.5 times as fast as testing them one
    by one.
    """
    differing = (loaded ^ 0x0A0A0A0A0A0A0A) & 0xFFFFFFFFFFFFFF
    return (differing - 0x01010101010101) & ~differing & 0x80808080808080 != 0


@kernel
def next_line(text: np.ndarray, state: ScanState, position: int) -> int:
    """Return the position after the next newline, which must exist."""
    while not has_newline(load_word(state.text + position)):
        position += 7
    while text[position] != NEWLINE:
        position += 1
    return position + 1
