"""The end of a heap that shrinks only at its end, and the objects that keep it from shrinking.

glibc's main arena ends at the program break, and grows and shrinks by moving it. free() can release
memory only at the end of the arena. So all free memory below the live object with the highest
address stays in the heap until it is reused, or until the program requests its release
(malloc_trim).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.labels import Labels


@dataclass(frozen=True)
class HeapTop:
    """The end of a heap, and the group of the last live object.

    A group has the objects of one size or of one thread, for example (see `labels`). The last
    object is the one with the highest address. Sizes are in bytes.
    """

    length: int
    """Bytes from the start of the heap to the program break."""
    last_end: int
    """Bytes from the start of the heap to the end of the last live object."""
    free_below: int
    """Free bytes in resident pages below `last_end`."""
    group: str
    """Name of the group of the last live object."""
    objects: int
    """Number of objects of the group that are above all live objects of other groups."""
    held: int
    """Bytes from the end of the last live object outside the group to `last_end`. If there is no
    such object, these bytes begin at the start of the heap. When the group is freed, they become
    free memory at the end of the heap."""


def heap_top(heap: HeapMap, labels: Labels) -> HeapTop | None:
    """Return the end of the heap, or None if the heap is empty or shrinks in another way."""
    if heap.break_range is None:
        return None
    start, end = heap.break_range
    inside = slice(*np.searchsorted(heap.address, (start, end)).tolist())
    group = labels.group[inside]
    if not len(group):
        return None
    ends = heap.address[inside] + heap.usable[inside]
    others = np.flatnonzero(group != group[-1])
    top = int(ends[-1])
    return HeapTop(
        length=end - start,
        last_end=top - start,
        free_below=_free_between(heap, start, top),
        group=labels.names[group[-1]],
        objects=len(group) - (int(others[-1]) + 1 if len(others) else 0),
        held=top - (int(ends[others[-1]]) if len(others) else start),
    )


def _free_between(heap: HeapMap, start: int, end: int) -> int:
    """Return how many bytes of the resident pages in a range belong to no object."""
    units = slice(*np.searchsorted(heap.unit_address, (start, end)).tolist())
    objects = slice(*np.searchsorted(heap.address, (start, end)).tolist())
    length, used = heap.unit_length[units].sum(), heap.usable[objects].sum()
    return max(int(length - used), 0)
