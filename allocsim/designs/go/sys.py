"""Operations on 64-bit words (internal/runtime/sys), most of them from `core.words`."""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.words import (
    WORD_BITS,
    leading_zeros64,
    ones_count64,
    shift_left,
    shift_right,
    trailing_zeros64,
)

__all__ = [
    "WORD_BITS",
    "leading_zeros64",
    "ones",
    "ones_count64",
    "shift_left",
    "shift_right",
    "starts_of_runs",
    "trailing_zeros64",
]


@kernel
def ones(first: int, count: int) -> int:
    """Return the word with `count` bits set from bit `first` on; 1 <= count <= 64 - first."""
    return shift_left(shift_right(-1, WORD_BITS - count), first)


@kernel
def starts_of_runs(word: int, length: int) -> int:
    """Return the bits at which `length` or more consecutive ones begin; length 1 to 64.

    After each iteration, each set bit of `word` is the start of a run of at least `reached` ones.
    If another such run starts `step` bits later, the two form a run of `reached + step` ones. The
    length can double in each iteration, so a length of 64 takes six iterations.
    """
    reached = 1
    while reached < length:
        step = min(reached, length - reached)
        word &= shift_right(word, step)
        reached += step
    return word
