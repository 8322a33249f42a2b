"""The scavenger: releases free pages, the highest first (runtime/mgcscavenge.go).

The scavenger has two goals, set after each collection. One limits the retained memory: the spans of
objects, and the free pages that are not released. The other follows from the memory limit, and
limits all memory of the runtime. Both differ from the pacer's heap goal (`mgcpacer`), which says
when to collect.

While a goal is exceeded, the background scavenger takes a step of 64 KiB now and then. Growth of
the heap beyond the first goal also releases pages. Pages freed since the last collection are left
alone, and so are chunks that are nearly full, because both are likely to be needed again. An
allocation that would exceed the memory limit releases free pages of any kind. In Go, it releases
none while the collector uses more than half of the CPU time (gcCPULimiter). This limiter is not
simulated, because it depends on time.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.out_of_line import out_of_line
from allocsim.core.system import release_pages
from allocsim.designs.go.metadata import mapped_ready
from allocsim.designs.go.mpallocbits import (
    CHUNK_PAGES,
    CHUNK_SHIFT,
    SCAVENGED,
    free_range,
    row_of,
    word_of,
)
from allocsim.designs.go.records import BACKGROUND, FORCED, Go
from allocsim.designs.go.scavenge_index import find_chunk
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT
from allocsim.designs.go.sys import WORD_BITS, leading_zeros64, shift_left

NO_GOAL = (1 << 63) - 1
"""The value of a goal for which no page has to be released."""

QUANTUM = 64 << 10
"""Bytes that the background scavenger releases in a step (scavengeQuantum)."""

PERIOD = 10_000
"""Events between two steps, unless a parameter says otherwise.

Go lets the background scavenger use 1% of the CPU time (scavengePercent), so the time between two
steps is about 100 times the duration of one. With Go 1.27.3, a step takes about 10 us for pages
that were written, and an event about 0.1 us. The trace systemui was replayed eight times in Go
1.27.3 with its concurrent collector and one P: Go's scavenger released 233 to 1,598 pages (median
564). With this period, the simulated scavenger releases 496 pages; without a pause between steps,
it releases 16,298. For a program that does much work between two events, a shorter period is
realistic."""

PHYS_PAGE_SIZE = 4096
"""Bytes of a page of the operating system."""

LIMIT_SHARE = 0.95
"""The background scavenger keeps the runtime's memory below this share of the memory limit
(reduceExtraPercent)."""


@kernel
def heap_retained(heap: Go) -> int:
    """Return the retained memory in bytes (heapRetained).

    It consists of the spans of objects, and of the free pages that are not released.
    """
    system, mheap = heap.system[0], heap.mheap[0]
    return system.heap - system.released - (mheap.manual_pages << PAGE_SHIFT)


@kernel
def heap_free(heap: Go) -> int:
    """Return the bytes of free pages that are not released (gcController.heapFree)."""
    return heap_retained(heap) - (heap.mheap[0].pages_in_use << PAGE_SHIFT)


@out_of_line
def scavenge_pages(heap: Go, length: int, kind: int) -> int:
    """Release about `length` bytes; return how many were released (pageAlloc.scavenge).

    `kind` is BACKGROUND or FORCED.
    """
    released = 0
    while released < length:
        page = find_chunk(heap, kind)
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
    return scavenge_pages(heap, length, FORCED)


@kernel
def scavenge_quantum(heap: Go) -> bool:
    """Release QUANTUM bytes if a goal is exceeded: one step of the background scavenger (run).

    Returns whether there may be more to release. Go takes steps for a millisecond, then sleeps.
    """
    goals = heap.scavenger[0]
    exceeded = heap_retained(heap) > goals.gc_percent_goal
    if not exceeded and mapped_ready(heap) <= goals.memory_limit_goal:
        return False
    return scavenge_pages(heap, QUANTUM, BACKGROUND) >= QUANTUM


@kernel
def scavenge_assist(heap: Go, growth: int, reused: int) -> None:
    """Release the bytes by which an allocation exceeds the limit or a goal (mheap.allocSpan).

    The allocation has made the heap grow by `growth` bytes. `reused` bytes of the allocated pages
    had been released to the OS; `mapped_ready` does not contain them yet.
    """
    scavenger, length, kind = heap.scavenger[0], 0, BACKGROUND
    over = mapped_ready(heap) - (heap.gc_controller[0].memory_limit - reused)
    if over > 0 and scavenger.enabled:
        length, kind = over, FORCED
    goal = scavenger.gc_percent_goal
    if growth and goal != NO_GOAL:
        length = max(length, min(growth, heap_retained(heap) + growth - goal))
    if length > 0:
        scavenge_pages(heap, length, kind)


@kernel
def pace_scavenger(heap: Go, in_use: int, heap_goal: int, last_goal: int) -> None:
    """Set the scavenger's two goals after a collection (gcPaceScavenger).

    The goal for the retained memory is 1.1 times an estimate of the memory that the next cycle
    needs. The estimate is `in_use`, the bytes in spans, times the ratio of two goals of the pacer:
    `heap_goal` for the next cycle, and `last_goal` for the cycle that has ended. A goal that is not
    exceeded is set to NO_GOAL.
    """
    scavenger = heap.scavenger[0]
    scavenger.gc_percent_goal = scavenger.memory_limit_goal = NO_GOAL
    if not scavenger.enabled:
        return
    limit_goal = int(float(heap.gc_controller[0].memory_limit) * LIMIT_SHARE)
    if mapped_ready(heap) > limit_goal:
        scavenger.memory_limit_goal = limit_goal
    goal = int(float(in_use) * (float(heap_goal) / float(last_goal)))
    goal += goal // 10
    goal = (goal + PHYS_PAGE_SIZE - 1) & -PHYS_PAGE_SIZE
    if heap_retained(heap) - goal >= PHYS_PAGE_SIZE:
        scavenger.gc_percent_goal = goal


@kernel
def _scavenge_one(heap: Go, page: int, maximum: int) -> int:
    """Release a run of free pages of one chunk, at or below `page`; return its bytes (scavengeOne).

    If the chunk has no such run, it is skipped until pages are freed in it.
    """
    run, end = _last_run(heap, page)
    if run == 0:
        heap.scav_chunk[page >> CHUNK_SHIFT].has_free = 0
        return 0
    start = _whole_huge_page(heap, end - run, end, (maximum + PAGE - 1) >> PAGE_SHIFT)
    free_range(heap, start, end - start, 1)
    length = (end - start) << PAGE_SHIFT
    release_pages(heap, heap.mheap[0].start + (start << PAGE_SHIFT), length)
    return length


@kernel
def _last_run(heap: Go, page: int) -> tuple[int, int]:
    """Return the length and end of the highest run of free, unreleased pages of a chunk.

    The search begins at the top of the 64-page block of `page`. Length 0 means: no run found.
    """
    first, run, end = page & -CHUNK_PAGES, 0, 0
    for block in range(page & -WORD_BITS, first - 1, -WORD_BITS):
        row = row_of(block)
        busy = word_of(heap, row) | word_of(heap, row + SCAVENGED)
        above = 0  # number of pages between the end of the run and the end of the block
        if run == 0:
            if busy == -1:
                continue
            above = leading_zeros64(~busy)
            end = block + WORD_BITS - above
        below = min(leading_zeros64(shift_left(busy, above)), WORD_BITS - above)
        run += below
        if above + below < WORD_BITS:
            break
    return run, end


@kernel
def _whole_huge_page(heap: Go, low: int, end: int, maximum: int) -> int:
    """Return the first page to release in the run of free pages from `low` to `end`, exclusive.

    All pages from there to the end of the run are released: at most `maximum`, or more if this
    limit would split a huge page that is entirely in the run (findScavengeCandidate).
    """
    start, huge = max(low, end - maximum), heap.scavenger[0].huge_pages
    if huge > 1:
        above, below = (start + huge - 1) & -huge, start & -huge
        if above <= end and below >= low:
            return below
    return start
