"""Fill patterns of objects, for --verify.

The replay driver fills every new object with a pattern, and checks the pattern when the object is
freed or resized. If two objects overlap, or the allocator writes into an object, a pattern is
overwritten.

Invariant: two live objects never have the same pattern, because a pattern is derived from the
object's id.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.raw import WORD, fill, load_byte, load_word, store_word

MULTIPLIER = 2654435761
"""An odd number close to 2**32 / golden ratio (Knuth, TAOCP 3, 6.4). Multiplying by this number
makes the patterns of consecutive ids differ in each of the low four bytes. An id is below 2**31, so
the product stays below 2**63."""


@kernel
def pattern_word(number: int) -> int:
    """Return the word whose repetition fills the object with id `number`.

    The word is never 0, so memory full of zeros never equals a pattern.
    """
    return (int(number) + 1) * MULTIPLIER


@kernel
def write_pattern(address: int, length: int, number: int) -> None:
    """Fill `length` bytes starting at `address` with the pattern of the object with id `number`."""
    word = pattern_word(number)
    whole = length & -WORD
    for offset in range(0, whole, WORD):
        store_word(address + offset, word)
    for offset in range(whole, length):
        fill(address + offset, 1, (word >> 8 * (offset - whole)) & 255)


@kernel
def has_pattern(address: int, length: int, number: int) -> bool:
    """Return whether `length` bytes starting at `address` are the pattern of object `number`."""
    word = pattern_word(number)
    whole = length & -WORD
    for offset in range(0, whole, WORD):
        if load_word(address + offset) != word:
            return False
    for offset in range(whole, length):
        if load_byte(address + offset) != (word >> 8 * (offset - whole)) & 255:
            return False
    return True


@kernel
def is_zero(address: int, length: int) -> bool:
    """Return whether `length` bytes starting at `address` are all zeros."""
    whole = length & -WORD
    for offset in range(0, whole, WORD):
        if load_word(address + offset) != 0:
            return False
    for offset in range(whole, length):  # noqa: SIM110 - a generator cannot be compiled
        if load_byte(address + offset) != 0:
            return False
    return True
