"""The answer of a child process: arrays of 64-bit integers in a file in memory (a memfd).

The child cannot write to a large file (see `python_child.limit_output`), so it writes through a
mapping of the file. The parent sets the file's length beforehand.

The second half of the file holds sets of objects, which the parent writes. Set k contains the
objects that experiment k frees (see `pages`). There is one byte for each object of the workload;
bit k of the byte says whether the object is in set k.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence

import numpy as np

MAX_BYTES = 1 << 38
"""Length of the file. Unwritten pages use no memory."""

SETS = MAX_BYTES // 2
"""Offset of the sets in bytes."""

MAX_SETS = 8
"""Maximum number of sets: the bits of a byte."""


def new_answer() -> int:
    """In the parent: return the descriptor of a new, empty file."""
    descriptor = os.memfd_create("allocsim-answer", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, MAX_BYTES)
    return descriptor


def write_sets(descriptor: int, sets: Sequence[np.ndarray]) -> None:
    """In the parent: write at most MAX_SETS sets of object ids."""
    count = max((int(numbers.max(initial=-1)) + 1 for numbers in sets), default=0)
    mask = np.zeros(count, np.uint8)
    for index, numbers in enumerate(sets):
        mask[numbers] |= np.uint8(1 << index)
    position = 0
    while position < count:
        position += os.pwrite(descriptor, mask[position:].tobytes(), SETS + position)


def read_set(descriptor: int, index: int, numbers: np.ndarray) -> np.ndarray:
    """In the child: return, for each object id in `numbers`, whether it is in set `index`."""
    if not len(numbers):
        return np.zeros(0, np.bool_)
    with mmap.mmap(
        descriptor, int(numbers.max()) + 1, mmap.MAP_SHARED, mmap.PROT_READ, offset=SETS
    ) as mapping:
        mask = np.array(np.frombuffer(mapping, np.uint8)[numbers])
    chosen: np.ndarray = mask >> np.uint8(index) & 1
    return chosen == 1


def write_arrays(descriptor: int, arrays: Sequence[np.ndarray], offset: int = 0) -> None:
    """In the child: write arrays one after the other, as int64.

    The first array begins `offset` bytes after the start, at a multiple of the OS page size.
    """
    length = sum(len(array) for array in arrays) * 8
    if not length:
        return
    with mmap.mmap(descriptor, length, offset=offset) as mapping:
        position = 0
        for array in arrays:
            data = array.astype(np.int64).tobytes()
            mapping[position : position + len(data)] = data
            position += len(data)


def read_arrays(descriptor: int, lengths: Sequence[int], offset: int = 0) -> list[np.ndarray]:
    """In the parent: return the child's arrays, given their lengths; the first is at `offset`.

    Raises ValueError if arrays of these lengths do not fit in the file.
    """
    if min(lengths) < 0 or offset + sum(lengths) * 8 > SETS:
        raise ValueError("the arrays are longer than the answer")
    arrays, position = [], offset
    for length in lengths:
        array = np.empty(length, np.int64)
        view = array.data.cast("B") if length else memoryview(b"")
        while len(view):
            read = os.preadv(descriptor, [view], position)
            position, view = position + read, view[read:]
        arrays.append(array)
    return arrays
