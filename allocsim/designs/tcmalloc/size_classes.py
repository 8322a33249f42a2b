"""Size classes: sizes and spans chosen so that little of a span is wasted (src/common.cc, SizeMap).

The step from one size to the next is the alignment of the smaller one. The spans of a class have
the shortest length that wastes at most an eighth of the span and holds at least a quarter of a
batch. If the spans of two consecutive sizes have the same length and the same number of objects,
the larger size replaces the smaller one. Class 0 is unused.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.designs.tcmalloc.records import Tcmalloc

PAGE_SHIFT = 13
PAGE = 1 << PAGE_SHIFT
"""Bytes of a page."""

MAX_SIZE = 256 * 1024
"""Bytes of the largest class (kMaxSize)."""

BATCH_BYTES = 64 * 1024
"""Approximate bytes of a batch."""

MAX_SMALL_SIZE = 1024
"""Up to this size, `class_index` has a row for every 8 bytes of size; above it, one row for every
128 bytes."""


class SizeClass(NamedTuple):
    """One class: bytes of an object, pages of a span, objects of a span and of a batch."""

    object_size: int
    pages: int
    objects: int
    batch: int


def num_move_size(size: int, transfer_num_obj: int) -> int:
    """Return the number of objects in a batch (NumMoveSize).

    The batch has about 64 KiB, but at least 2 and at most `transfer_num_obj` objects.
    """
    return min(max(BATCH_BYTES // size, 2), transfer_num_obj)


@cache
def size_map(transfer_num_obj: int, sizes: tuple[int, ...] = ()) -> tuple[SizeClass, ...]:
    """Return the classes in ascending order, from class 1 on (SizeMap::Init).

    With `sizes`, the classes have these object sizes instead of the library's.
    """
    if sizes:
        return tuple(fitted(size, num_move_size(size, transfer_num_obj)) for size in sizes)
    classes: list[SizeClass] = []
    size = 8
    while size <= MAX_SIZE:
        info = fitted(size, num_move_size(size, transfer_num_obj))
        if classes and _fits_as_many(classes[-1], info):
            classes.pop()
        classes.append(info)
        size += _alignment_for_size(size)  # the step depends on the smaller size: 16 follows 8
    return tuple(classes)


def class_index(classes: Sequence[SizeClass]) -> np.ndarray:
    """Return the class of each row (see `row_of`), for all sizes up to MAX_SIZE, as uint8."""
    rows = np.zeros(row_of(MAX_SIZE) + 1, np.uint8)
    first = 0
    for number, info in enumerate(classes, start=1):
        end = row_of(info.object_size) + 1
        rows[first:end] = number
        first = end
    return rows


@kernel
def row_of(request: int) -> int:
    """Return the row of the class index for `request` bytes, 0 to MAX_SIZE (ClassIndex)."""
    if request <= MAX_SMALL_SIZE:
        return (request + 7) >> 3
    return (request + 127 + (120 << 7)) >> 7  # 1,024 is row 128 of both formulas


@kernel
def class_of(heap: Tcmalloc, request: int) -> int:
    """Return the class of `request` bytes, 0 to MAX_SIZE (SizeMap::SizeClass)."""
    return int(heap.class_index[np.uint64(row_of(request))])


def fitted(size: int, batch: int) -> SizeClass:
    """Return the class of `size`, with the shortest span that the module's rules allow."""
    pages = 0
    while True:
        pages += 1
        length = pages * PAGE
        # With fewer objects than a quarter of a batch, most refills would be incomplete.
        if length % size <= length // 8 and length // size >= batch // 4:
            return SizeClass(size, pages, length // size, batch)


def _fits_as_many(smaller: SizeClass, larger: SizeClass) -> bool:
    """Return whether spans of the two classes have equal lengths and equal numbers of objects."""
    return (smaller.pages, smaller.pages * PAGE // smaller.object_size) == (
        larger.pages,
        larger.objects,
    )


def _alignment_for_size(size: int) -> int:
    """Return the step from `size` to the next size (AlignmentForSize)."""
    if size < 16:
        return 8
    if size < 128:
        return 16
    return min((1 << (size.bit_length() - 1)) // 8, PAGE)
