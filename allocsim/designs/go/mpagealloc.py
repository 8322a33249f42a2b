"""The page allocator: lowest-address first fit over all chunks (runtime/mpagealloc.go).

Invariant: no page below `search_addr` is free.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.system import release_pages, take_pages
from allocsim.designs.go.metadata import allocate_arenas
from allocsim.designs.go.mpallocbits import (
    CHUNK_PAGES,
    CHUNK_SHIFT,
    alloc_range,
    find_in_chunk,
    free_range,
)
from allocsim.designs.go.pallocsum import LEVEL_SHIFT, LEVELS, page_update
from allocsim.designs.go.records import Go
from allocsim.designs.go.scavenge_index import index_alloc, index_free
from allocsim.designs.go.size_classes import PAGE_SHIFT

CHUNK_BYTES = CHUNK_PAGES << PAGE_SHIFT
"""Bytes of a chunk: 4 MiB."""


@kernel
def find(heap: Go, npages: int) -> int:
    """Return the first page of the lowest run of `npages` free pages, or -1 (pageAlloc.find).

    Searches the summaries of the highest level. If one of them contains a run that is long enough,
    its parts are searched.
    """
    mheap, level = heap.mheap[0], LEVELS - 1
    shift, before = (
        CHUNK_SHIFT + LEVEL_SHIFT * level,
        0,
    )  # `before`: free pages right before those of `index`
    index, end = mheap.search_addr >> shift, mheap.chunks << CHUNK_SHIFT
    while index << shift < end:
        summary = heap.summary[level, index]
        if before + summary.start >= npages:
            return (index << shift) - before
        if summary.max_ < npages:
            before = before + summary.start if summary.start == 1 << shift else summary.end
            index += 1
        elif level == 0:
            return find_in_chunk(heap, index, npages)
        else:
            level, shift = level - 1, shift - LEVEL_SHIFT
            index = max(index << LEVEL_SHIFT, mheap.search_addr >> shift)
    if npages == 1:
        mheap.search_addr = end
    return -1


@kernel
def page_alloc(heap: Go, npages: int) -> int:
    """Allocate the lowest run of `npages` free pages (pageAlloc.alloc).

    Returns its first page, or -1 if no run is long enough. Sets `mheap.scav` to how many of these
    pages had been released before (Go: scavenged).
    """
    mheap, first = heap.mheap[0], find(heap, npages)
    if first < 0:
        return -1
    page, end = first, first + npages
    while page < end:
        count = min(CHUNK_PAGES - (page & (CHUNK_PAGES - 1)), end - page)
        index_alloc(heap, page, count)
        page += count
    mheap.scav = alloc_range(heap, first, npages)
    page_update(heap, first, npages)
    if first == mheap.search_addr:
        mheap.search_addr = end
    return first


@kernel
def page_free(heap: Go, first: int, npages: int) -> None:
    """Mark pages as free and not released (pageAlloc.free).

    A sweep frees many pages and searches for none. During a sweep, this kernel therefore leaves the
    summaries unchanged; they are updated once, at the end of the sweep.
    """
    mheap = heap.mheap[0]
    mheap.search_addr = min(mheap.search_addr, first)
    free_range(heap, first, npages, 0)
    page, end = first, first + npages
    while page < end:
        count = min(CHUNK_PAGES - (page & (CHUNK_PAGES - 1)), end - page)
        index_free(heap, page, count)
        page += count
    if not mheap.sweeping:
        page_update(heap, first, npages)


@kernel
def page_grow(heap: Go, npages: int) -> int:
    """Map whole chunks for `npages` pages at the end of the heap (mheap.grow, pageAlloc.grow).

    The new pages are free and released. Returns the bytes mapped, or 0 on failure.
    """
    mheap = heap.mheap[0]
    chunks = (npages + CHUNK_PAGES - 1) >> CHUNK_SHIFT
    length = chunks * CHUNK_BYTES
    address = take_pages(heap, length)
    if address == 0:
        return 0
    allocate_arenas(heap)
    release_pages(heap, address, length)
    first = mheap.chunks << CHUNK_SHIFT
    mheap.chunks += chunks
    free_range(heap, first, chunks << CHUNK_SHIFT, 1)
    page_update(heap, first, chunks << CHUNK_SHIFT)
    heap.counters[0].grows += 1
    return length
