"""Size classes and the objects of their spans (internal/runtime/gc, mksizeclasses.go).

The table is computed by Go's rules. Class 0 is for large objects. A span of objects of 16 to 512
bytes contains mark bytes (the Green Tea collector), so it holds fewer objects than the published
table says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.size_classes import SizeClasses
from allocsim.designs.go.records import Go

PAGE_SHIFT = 13
PAGE = 1 << PAGE_SHIFT
"""Bytes of a page."""

MAX_CLASS_SIZE = 32768
"""Bytes of an object of the largest class (MaxSmallSize)."""

MAX_SMALL = MAX_CLASS_SIZE - 8
"""Largest small request in bytes. Go leaves room for an 8-byte header, although objects without
pointers have no header."""

TINY_SIZE = 16
"""Bytes of a tiny block. Requests smaller than this share tiny blocks (TinyBlockSize)."""

TINY_CLASS = 2
"""The class of tiny blocks, and of requests of 16 bytes (tinySpanClass)."""

SMALL_SIZE_MAX = 1024
"""The class index has a row for every 8 bytes below this size, and for every 128 bytes above."""

MIN_MARKED, MAX_MARKED = 16, 512
"""Smallest and largest object size for which spans have inline mark bytes."""

MARK_BYTES = 128
"""Number of inline mark bytes, which are at the end of a span (spanInlineMarkBits)."""


class SizeClass(NamedTuple):
    """One class: bytes of an object, pages of a span."""

    object_size: int
    pages: int


def objects_of(info: SizeClass, greenteagc: bool) -> int:
    """Return how many objects a span of the class holds (mspan.nelems)."""
    marked = greenteagc and MIN_MARKED <= info.object_size <= MAX_MARKED
    return (info.pages * PAGE - MARK_BYTES * marked) // info.object_size


def class_table() -> list[SizeClass]:
    """Return the 67 classes in ascending order, from class 1 on."""
    classes: list[SizeClass] = []
    size = step = 8
    while size <= MAX_CLASS_SIZE:
        step = _step_from(size, step)
        info = fitted(size)
        if classes and _fits_as_many(classes[-1], info):
            classes.pop()
        classes.append(info)
        size += step
    return [_widened(info) for info in classes]


def class_index(classes: Sequence[SizeClass]) -> np.ndarray:
    """Return the class of each row (see `row_of`), for all sizes up to 32768, as uint8."""
    sizes = np.array([info.object_size for info in classes])
    below = SMALL_SIZE_MAX // 8
    rows = np.arange(below + (MAX_CLASS_SIZE - SMALL_SIZE_MAX) // 128 + 1)
    largest = np.where(rows < below, rows * 8, SMALL_SIZE_MAX + (rows - below) * 128)
    return (np.searchsorted(sizes, largest) + 1).astype(np.uint8)


@kernel
def class_of(heap: Go, request: int) -> int:
    """Return the class of `request` bytes, 1 to 32768 (gc.SizeToSizeClass8, SizeToSizeClass128)."""
    return int(heap.class_index[np.uint64(row_of(request))])


@kernel
def row_of(request: int) -> int:
    """Return the row of the class index for `request` bytes, 0 to 32768."""
    if request <= SMALL_SIZE_MAX - 8:
        return (request + 7) >> 3
    return (request - SMALL_SIZE_MAX + 127 >> 7) + (SMALL_SIZE_MAX >> 3)


def size_classes(classes: Sequence[SizeClass], greenteagc: bool) -> SizeClasses:
    """Return a table of classes, as `sizeclass-check` shows it."""
    spans, rows = {info.object_size: info for info in classes}, class_index(classes)

    def number_of(request: int) -> int:
        """Return the class of `request` bytes, or the number of classes + 1 if it is too large."""
        fits = request <= MAX_CLASS_SIZE
        return int(rows[row_of(max(request, 1))]) if fits else len(classes) + 1

    return SizeClasses(
        class_of=number_of,
        object_size=lambda number: classes[number - 1].object_size,
        count=len(classes),
        chunk_of=lambda size: objects_of(spans[size], greenteagc) * size,
        page_size=PAGE,
        first=1,
    )


def fitted(size: int) -> SizeClass:
    """Return the class of `size`, with the shortest span that wastes at most 1/8 of its bytes."""
    pages = 1
    while pages * PAGE % size > pages * PAGE // 8:
        pages += 1
    return SizeClass(size, pages)


def _step_from(size: int, step: int) -> int:
    """Return the step from `size` to the next size to try.

    The step changes only at powers of two.
    """
    if size & (size - 1):
        return step
    if size >= 2048:
        return 256
    if size >= 128:
        return size // 8
    return 16 if size >= 32 else step


def _fits_as_many(smaller: SizeClass, larger: SizeClass) -> bool:
    """Return whether spans of the two classes have equal lengths and equal numbers of objects."""
    return smaller.pages == larger.pages and objects_of(smaller, False) == objects_of(larger, False)


def _widened(info: SizeClass) -> SizeClass:
    """Raise the size to the largest multiple of 128 that keeps the number of objects of a span."""
    largest = info.pages * PAGE // objects_of(info, False) // 128 * 128
    return SizeClass(max(info.object_size, largest), info.pages)


CLASSES = class_table()
"""The 67 classes; class 1 is the first."""
