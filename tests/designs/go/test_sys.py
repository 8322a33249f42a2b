"""Operations on words agree with Python's unbounded integers."""

import random

import numpy as np
import pytest

from allocsim.core.jit import kernel
from allocsim.designs.go.sys import (
    leading_zeros64,
    ones,
    ones_count64,
    shift_left,
    shift_right,
    starts_of_runs,
    trailing_zeros64,
)

ALL = (1 << 64) - 1
RANDOM = random.Random(64)
SPARSE = [RANDOM.getrandbits(64) & RANDOM.getrandbits(64) for _ in range(20)]
WORDS = [0, 1, ALL, 1 << 63, ALL >> 1, *SPARSE]


@kernel
def results(word: int, count: int) -> tuple[int, int, int, int, int]:
    """Return the results of the five operations."""
    return (
        trailing_zeros64(word), leading_zeros64(word), ones_count64(word),
        shift_right(word, count), shift_left(word, count),
    )  # fmt: skip


@kernel
def runs(word: int, length: int) -> int:
    """Return where runs of ones begin."""
    return starts_of_runs(word, length)


@kernel
def some_ones(first: int, count: int) -> int:
    """Return a word of ones."""
    return ones(first, count)


def signed(word: int) -> int:
    """Return 64 bits as a signed number."""
    return int(np.array(word, np.uint64).astype(np.int64))


@pytest.mark.parametrize("word", WORDS, ids=hex)
def test_words_are_counted_and_shifted_as_64_bits(word: int) -> None:
    text = f"{word:064b}"
    for count in (0, 1, 31, 63):
        assert results(signed(word), count) == (
            64 - len(text.rstrip("0")) if word else 64,
            64 - len(text.lstrip("0")),
            text.count("1"),
            signed(word >> count),
            signed(word << count & ALL),
        )


@pytest.mark.parametrize("word", WORDS, ids=hex)
def test_runs_begin_where_enough_ones_follow(word: int) -> None:
    for length in (1, 2, 3, 7, 15, 33, 64):
        expected = [
            bit
            for bit in range(65 - length)
            if word >> bit & (1 << length) - 1 == (1 << length) - 1
        ]
        assert runs(signed(word), length) == signed(sum(1 << bit for bit in expected))


@pytest.mark.parametrize(("first", "count"), [(0, 1), (0, 64), (63, 1), (5, 9), (1, 63)])
def test_ones_are_consecutive(first: int, count: int) -> None:
    assert some_ones(first, count) == signed(sum(1 << bit for bit in range(first, first + count)))
