"""Stamps: a pattern that fills an object from end to end and tells whose it is.

Below the driver, which stamps every fresh object under --verify and checks it at free: if two
objects overlap, or the heap writes into one, a stamp is broken. Its one rule: two objects that
are live at once never have the same stamp, since it is made from the object's number.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.raw import WORD, fill, load_byte, load_word, store_word

MULTIPLIER = 2654435761
"""Odd and near 2**32 / golden ratio (Knuth, TAOCP 3, 6.4): neighbouring numbers differ in each of
the low four bytes; a number below 2**31 times it stays below 2**63."""


@kernel
def stamp_of(number: int) -> int:
    """The word that fills the object of that number; never 0."""
    return (int(number) + 1) * MULTIPLIER


@kernel
def stamp(address: int, length: int, number: int) -> None:
    """Fill `length` bytes from `address` on with the stamp of an object."""
    word = stamp_of(number)
    whole = length & -WORD
    for offset in range(0, whole, WORD):
        store_word(address + offset, word)
    for offset in range(whole, length):
        fill(address + offset, 1, (word >> 8 * (offset - whole)) & 255)


@kernel
def is_stamped(address: int, length: int, number: int) -> bool:
    """Whether all `length` bytes from `address` on still bear the stamp of an object."""
    word = stamp_of(number)
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
    """Whether `length` bytes from `address` on are all zeros."""
    whole = length & -WORD
    for offset in range(0, whole, WORD):
        if load_word(address + offset) != 0:
            return False
    for offset in range(whole, length):  # noqa: SIM110 - a generator cannot be compiled
        if load_byte(address + offset) != 0:
            return False
    return True
