"""The units of a glibc heap, for `allocsim explain`: the pages of its arenas and mappings.

A unit is a piece of memory that becomes free only as a whole. Here it is a page of the operating
system, because malloc_trim can release each page that is entirely inside a free chunk.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from allocsim.designs import Units
from allocsim.designs.glibc.address_space import mapping_length, range_at, start_of
from allocsim.designs.glibc.chunks import PAGE, chunksize
from allocsim.designs.glibc.heaps import slot_address
from allocsim.designs.glibc.records import Glibc, Kind

NAMES = ("free_chunks", "top", "stacks")
"""The parts of the heap to which pages without a live object belong: free chunks in bins or in
caches, with their headers; tops of arenas; and stack segments."""

FREE_CHUNKS, TOP, STACKS = range(3)
"""Indexes into NAMES."""


def units(heap: Glibc) -> Units:
    """Return the pages of the heap."""
    ranges = np.array(list(_ranges(heap)), np.int64).reshape(-1, 3)
    address = _pages(ranges[:, 0], ranges[:, 1])
    part = np.repeat(ranges[:, 2], ranges[:, 1] // PAGE)
    for av in range(int(heap.mp_[0].narenas)):
        top = int(heap.arena[av].top)
        part[(address >= top) & (address < top + chunksize(top))] = TOP
    start = int(heap.mp_[0].start)
    main_arena = start, start + int(heap.arena[0].system_mem)
    return Units(address, np.full(len(address), PAGE), part, NAMES, break_range=main_arena)


def _ranges(heap: Glibc) -> Iterator[tuple[int, int, int]]:
    """Yield (start, length, part) of the main arena, of each heap of the other arenas and of each
    mapping.

    `part` is an index into NAMES. For pages in the top of an arena, `units` replaces it by TOP.
    """
    mp = heap.mp_[0]
    yield int(mp.start), int(heap.arena[0].system_mem), FREE_CHUNKS
    for slot in np.flatnonzero(heap.heap_info.ar_ptr).tolist():
        yield int(slot_address(heap, slot)), int(heap.heap_info[slot].size_), FREE_CHUNKS
    kinds = heap.mapping.kind[range_at(heap, heap.system[0].limit) : int(mp.length) // PAGE + 1]
    for kind, part in ((Kind.CHUNK, FREE_CHUNKS), (Kind.STACK, STACKS)):
        for row in np.flatnonzero(kinds == kind).tolist():
            number = row + int(mp.length) // PAGE + 1 - len(kinds)
            yield int(start_of(heap, number)), int(mapping_length(heap, number)), part


def _pages(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the address of each page of some ranges."""
    counts = lengths // PAGE
    skipped = np.cumsum(counts) - counts
    return np.repeat(starts - skipped * PAGE, counts) + np.arange(counts.sum()) * PAGE
