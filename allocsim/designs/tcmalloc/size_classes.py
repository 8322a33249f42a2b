"""Size classes made by a rule: sizes and spans such that the end of a span wastes little.

Beside `size_classes`, whose policies are closed forms; used by designs with central lists. The
rule is gperftools 2.10's (src/common.cc): sizes step by their alignment, a span is as long as it
must be to waste at most an eighth of itself and to fill a quarter of a batch, and a size that
would give as many objects in as many pages as the one before replaces it. Its one rule: class 0
is none, so a class is its place in the table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState

PAGE_SHIFT = 13
PAGE = 1 << PAGE_SHIFT
"""Bytes of a page."""

LARGEST = 256 * 1024
"""Bytes of the largest class."""

BATCH_BYTES = 64 * 1024
"""A batch moves about so many bytes."""

FINE = 1024
"""Up to so many bytes the table of classes has a row for each 8, beyond for each 128."""


class SpanClass(NamedTuple):
    """One class: bytes of its objects, pages of its spans, objects of a span and of a batch."""

    object_size: int
    pages: int
    objects: int
    batch: int


def batch_of(size: int, most: int) -> int:
    """Objects of `size` bytes that move together: 64 KiB of them, 2 to `most`."""
    return min(max(BATCH_BYTES // size, 2), most)


def span_classes(most_in_batch: int) -> list[SpanClass]:
    """The classes in ascending order, the first of which has the number 1."""
    classes: list[SpanClass] = []
    size = 8
    while size <= LARGEST:
        found = _fitted(size, batch_of(size, most_in_batch))
        if classes and (found.pages, found.objects) == _fit_of(classes[-1], found):
            classes.pop()
        classes.append(found)
        size += _alignment(size)
    return classes


def class_index(classes: list[SpanClass]) -> np.ndarray:
    """The class by row (see class_of): uint8, for every size up to LARGEST."""
    rows = np.zeros(row_of(LARGEST) + 1, np.uint8)
    first = 0
    for number, found in enumerate(classes, start=1):
        behind = row_of(found.object_size) + 1
        rows[first:behind] = number
        first = behind
    return rows


@kernel
def row_of(request: int) -> int:
    """The row of `request` bytes, 0 to LARGEST, in the table of classes."""
    if request <= FINE:
        return (request + 7) >> 3
    return (request + 127 + (120 << 7)) >> 7


@kernel
def class_of(heap: HeapState, request: int) -> int:
    """The class of `request` bytes, 0 to LARGEST."""
    return int(heap.class_index[np.uint64(row_of(request))])


def _fitted(size: int, batch: int) -> SpanClass:
    """The class of `size`: the shortest span that wastes little and holds a quarter of a batch."""
    pages = 0
    while True:
        pages += 1
        length = pages * PAGE
        if length % size <= length // 8 and length // size >= batch // 4:
            return SpanClass(size, pages, length // size, batch)


def _fit_of(before: SpanClass, found: SpanClass) -> tuple[int, int]:
    """Pages of the class before, and how many objects of it fit in the spans of `found`."""
    return before.pages, found.pages * PAGE // before.object_size


def _alignment(size: int) -> int:
    """Bytes by which sizes step from `size` on."""
    if size < 16:
        return 8
    if size < 128:
        return 16
    return min((1 << (size.bit_length() - 1)) // 8, PAGE)
