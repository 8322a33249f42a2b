"""The file of arrays that a child and its parent exchange."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from allocsim.benchmark.answer import new_answer, read_arrays, read_set, write_arrays, write_sets


@pytest.fixture
def answer() -> Iterator[int]:
    """A new file."""
    descriptor = new_answer()
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("lengths", [[3, 0, 5], [0, 0], [100_000, 1]])
def test_arrays_are_read_as_they_were_written(answer: int, lengths: list[int]) -> None:
    arrays = [np.arange(length) * 3 - 7 for length in lengths]
    write_arrays(answer, arrays)
    read = read_arrays(answer, lengths)
    assert [array.tolist() for array in read] == [array.tolist() for array in arrays]


def test_an_object_may_be_in_several_sets(answer: int) -> None:
    sets = [np.array([], np.int64), np.array([0, 5, 9000]), np.array([5])]
    write_sets(answer, sets)
    numbers = np.array([0, 4, 5, 9000, 10_000])
    for index, expected in enumerate(([], [0, 5, 9000], [5])):
        assert numbers[read_set(answer, index, numbers)].tolist() == expected
    assert read_set(answer, 0, numbers[:0]).tolist() == []


@pytest.mark.parametrize("lengths", [[-1, 4], [1 << 40, 1]])
def test_impossible_lengths_are_refused(answer: int, lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="longer than"):
        read_arrays(answer, lengths)
