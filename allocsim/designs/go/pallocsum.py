"""Summaries of free pages, with which a search skips short runs (runtime/mpagealloc.go).

A summary describes one chunk on level 0, 8 chunks on level 1, and 64 chunks on level 2. It has the
lengths of three runs of free pages: the run at the start, the longest run, and the run at the end.
A chunk that is not mapped has no free page. Go has five levels for 48-bit addresses; the number of
levels does not change the result of a search.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.designs.go.mpallocbits import (
    CHUNK_PAGES,
    CHUNK_SHIFT,
    CHUNK_WORDS,
    longest_run,
    row_of,
    word_of,
)
from allocsim.designs.go.records import Go, PallocSum
from allocsim.designs.go.sys import WORD_BITS, leading_zeros64, trailing_zeros64

LEVELS = 3
"""Number of levels of summaries."""

LEVEL_SHIFT = 3
"""Log2 of the number of summaries that one summary of the next level combines."""


@out_of_line
def page_update(heap: Go, first: int, npages: int) -> int:
    """Recompute the summaries that cover these pages, on all levels (pageAlloc.update).

    If no summary of a level changes, the levels above it do not change either.
    """
    low, high = first >> CHUNK_SHIFT, (first + npages - 1) >> CHUNK_SHIFT
    changed = False
    for chunk in range(low, high + 1):
        changed |= summarize(heap, chunk)
    for level in range(1, LEVELS):
        if not changed:
            break
        changed = False
        low, high = low >> LEVEL_SHIFT, high >> LEVEL_SHIFT
        for index in range(low, high + 1):
            changed |= merge_summaries(heap, level, index)
    return Status.OK


@kernel
def summarize(heap: Go, chunk: int) -> bool:
    """Recompute the summary of a chunk from its words (pallocBits.summarize).

    Returns whether it has changed.
    """
    first = row_of(chunk << CHUNK_SHIFT)
    start, longest, run = -1, 0, 0
    for row in range(first, first + CHUNK_WORDS):
        word = word_of(heap, row)
        if word == 0:
            run += WORD_BITS
            continue
        run += trailing_zeros64(word)
        start = run if start < 0 else start
        longest = longest_run(word, max(longest, run))
        run = leading_zeros64(word)
    return _store(heap.summary[0, chunk], start, longest, run)


@kernel
def merge_summaries(heap: Go, level: int, index: int) -> bool:
    """Recompute a summary from those of the level below (mergeSummaries).

    Returns whether it has changed.
    """
    pages = CHUNK_PAGES << LEVEL_SHIFT * (level - 1)
    first = index << LEVEL_SHIFT
    start, longest, run = -1, 0, 0
    for child in range(first, first + (1 << LEVEL_SHIFT)):
        part = heap.summary[level - 1, child]
        run += part.start
        if part.start == pages:
            continue
        start = run if start < 0 else start
        longest = max(longest, run, part.max_)
        run = part.end
    return _store(heap.summary[level, index], start, longest, run)


@kernel
def _store(summary: PallocSum, start: int, longest: int, run: int) -> bool:
    """Store a summary; return whether it has changed.

    `start` is negative if every page is free. `run` is the number of free pages at the end.
    """
    start, longest = run if start < 0 else start, max(longest, run)
    if summary.start == start and summary.max_ == longest and summary.end == run:
        return False
    summary.start, summary.max_, summary.end = start, longest, run
    return True


@kernel
def chunks_to_skip(heap: Go, chunk: int, before: int, npages: int) -> int:
    """Return how many chunks, beginning with `chunk`, a search for `npages` free pages can skip.

    `before` is the number of free pages right before the chunk. The chunks of a summary can be
    skipped if no run of `npages` free pages ends in them: a run that continues after them is found
    in the chunk where it ends. Tries the summaries that begin with
    `chunk`, from the highest level down. Returns 0 if no chunk can be skipped.
    """
    for level in range(LEVELS - 1, -1, -1):
        shift = LEVEL_SHIFT * level
        if chunk & ((1 << shift) - 1) == 0:
            summary = heap.summary[level, chunk >> shift]
            if before + summary.start < npages and summary.max_ < npages:
                return 1 << shift
    return 0


@kernel
def free_at_end(heap: Go, chunk: int, count: int, before: int) -> int:
    """Count the free pages at the end of `count` chunks (1, 8 or 64); the first one is `chunk`.

    `before` is the number of free pages right before `chunk`. It is added if all pages of the
    chunks are free.
    """
    level = trailing_zeros64(count) // LEVEL_SHIFT
    summary = heap.summary[level, chunk >> LEVEL_SHIFT * level]
    return before + summary.end if summary.start == CHUNK_PAGES * count else summary.end
