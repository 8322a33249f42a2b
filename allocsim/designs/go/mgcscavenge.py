"""The scavenger: releases free pages, the highest first (runtime/mgcscavenge.go).

A goal is set after each collection. Free pages beyond it are released at once, and again when the
heap grows. Pages freed since the last collection are left alone, and so are chunks that are nearly
full, because both are likely to be needed again.
"""

from __future__ import annotations

from allocsim.core.jit import kernel, out_of_line
from allocsim.core.operations import Status
from allocsim.core.system import release_pages
from allocsim.designs.go.mpallocbits import (
    CHUNK_PAGES,
    CHUNK_SHIFT,
    SCAVENGED,
    free_range,
    row_of,
    word_of,
)
from allocsim.designs.go.records import Go
from allocsim.designs.go.scavenge_index import find_chunk
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT
from allocsim.designs.go.sys import WORD_BITS, leading_zeros64, shift_left

NO_GOAL = (1 << 63) - 1
"""The goal if no page has to be released."""

QUANTUM = 64 << 10
"""Bytes that the background scavenger releases at a time."""

PHYS_PAGE_SIZE = 4096
"""Bytes of a page of the operating system."""


@kernel
def heap_retained(heap: Go) -> int:
    """Return the bytes of spans and of free pages that are not released (heapRetained)."""
    system, mheap = heap.system[0], heap.mheap[0]
    return system.heap - system.released - (mheap.manual_pages << PAGE_SHIFT)


@out_of_line
def scavenge_pages(heap: Go, length: int) -> int:
    """Release about `length` bytes; return how many were released (pageAlloc.scavenge)."""
    released = 0
    while released < length:
        page = find_chunk(heap)
        if page < 0:
            break
        released += _scavenge_one(heap, page, length - released)
    return released


@kernel
def release(heap: Go, length: int) -> int:
    """Release about `length` bytes on request, the highest free pages first.

    Returns the bytes released. Neither a goal nor the density of a chunk matters
    (debug.FreeOSMemory, without its collection).
    """
    return release_pages_of(heap, length)


@out_of_line
def release_pages_of(heap: Go, length: int) -> int:
    """Release about `length` bytes of free pages; return how many were released."""
    released, page = 0, (heap.mheap[0].chunks << CHUNK_SHIFT) - 1
    while page >= 0 and released < length:
        run, end = _last_run(heap, page)
        if run == 0:
            page = (page & -CHUNK_PAGES) - 1
        else:
            start = max(end - run, end - ((length - released + PAGE - 1) >> PAGE_SHIFT))
            _release(heap, start, end - start)
            released += (end - start) << PAGE_SHIFT
    return released


@kernel
def scavenge_to_goal(heap: Go) -> int:
    """Release pages until the goal is reached (the background scavenger). Returns a Status."""
    while heap_retained(heap) > heap.scavenger[0].gc_percent_goal:
        if scavenge_pages(heap, QUANTUM) < QUANTUM:
            break
    return Status.OK


@kernel
def scavenge_for_growth(heap: Go, growth: int, retained: int) -> None:
    """Release the bytes by which the grown heap will exceed the goal (mheap.allocSpan)."""
    goal = heap.scavenger[0].gc_percent_goal
    if growth and goal != NO_GOAL and retained + growth > goal:
        scavenge_pages(heap, min(growth, retained + growth - goal))


@kernel
def pace_scavenger(heap: Go, in_use: int, heap_goal: int, last_goal: int) -> None:
    """Set the goal after a collection: 1.1 times what the next cycle needs (gcPaceScavenger).

    `in_use` is the bytes in spans, `last_goal` the goal of the cycle that has ended.
    """
    scavenger = heap.scavenger[0]
    scavenger.gc_percent_goal = NO_GOAL
    if not scavenger.enabled:
        return
    goal = int(float(in_use) * (float(heap_goal) / float(last_goal)))
    goal += goal // 10
    goal = (goal + PHYS_PAGE_SIZE - 1) & -PHYS_PAGE_SIZE
    if heap_retained(heap) - goal >= PHYS_PAGE_SIZE:
        scavenger.gc_percent_goal = goal


@kernel
def _scavenge_one(heap: Go, page: int, maximum: int) -> int:
    """Release a run of one chunk, at or below `page`; return its bytes (scavengeOne).

    If the chunk has no such run, it is skipped until pages are freed in it.
    """
    run, end = _last_run(heap, page)
    if run == 0:
        heap.scav_chunk[page >> CHUNK_SHIFT].has_free = 0
        return 0
    start = _whole_huge_page(heap, end - run, end, (maximum + PAGE - 1) >> PAGE_SHIFT)
    _release(heap, start, end - start)
    return (end - start) << PAGE_SHIFT


@kernel
def _last_run(heap: Go, page: int) -> tuple[int, int]:
    """Return the length and end of the highest run of free, unreleased pages of a chunk.

    The search begins at the top of the 64-page block of `page`. Length 0 means: no run found.
    """
    first, run, end = page & -CHUNK_PAGES, 0, 0
    for block in range(page & -WORD_BITS, first - 1, -WORD_BITS):
        row = row_of(block)
        busy = word_of(heap, row) | word_of(heap, row + SCAVENGED)
        if run == 0:
            if busy == -1:
                continue
            above = leading_zeros64(~busy)
            end = block + WORD_BITS - above
            below = leading_zeros64(shift_left(busy, above))
            run = min(below, WORD_BITS - above)
            if run < WORD_BITS - above:
                break
        else:
            run += leading_zeros64(busy)
            if busy:
                break
    return run, end


@kernel
def _whole_huge_page(heap: Go, low: int, end: int, maximum: int) -> int:
    """Return the page from which to release the end of the run from `low` to `end`.

    At most `maximum` pages are released, or more if this limit would split a huge page that the
    run contains whole (findScavengeCandidate).
    """
    start, huge = max(low, end - maximum), heap.scavenger[0].huge_pages
    if huge > 1:
        above, below = (start + huge - 1) & -huge, start & -huge
        if above <= end and below >= low:
            return below
    return start


@kernel
def _release(heap: Go, first: int, npages: int) -> None:
    """Release free pages to the operating system."""
    free_range(heap, first, npages, 1)
    address = heap.mheap[0].start + (first << PAGE_SHIFT)
    release_pages(heap, address, npages << PAGE_SHIFT)
