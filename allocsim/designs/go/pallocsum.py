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
from allocsim.designs.go.mpallocbits import longest_run, row_of, word_of
from allocsim.designs.go.records import Go
from allocsim.designs.go.sys import WORD_BITS, leading_zeros64, trailing_zeros64

LEVELS = 3
"""Number of levels of summaries."""

LEVEL_SHIFT = 3
"""Log2 of the number of summaries that one summary of the next level combines. A summary of level 0
combines as many words."""


@out_of_line
def page_update(heap: Go, first: int, npages: int) -> int:
    """Recompute the summaries that cover these pages, on all levels (pageAlloc.update).

    If no summary of a level changes, the levels above it do not change either. Returns a Status.
    """
    low, high = first // WORD_BITS, (first + npages - 1) // WORD_BITS
    for level in range(LEVELS):
        low, high, changed = low >> LEVEL_SHIFT, high >> LEVEL_SHIFT, False
        for index in range(low, high + 1):
            changed |= summarize(heap, level, index)
        if not changed:
            break
    return Status.OK


@kernel
def summarize(heap: Go, level: int, index: int) -> bool:
    """Recompute a summary from its eight parts; return whether it has changed.

    The parts are the words of a chunk (pallocBits.summarize), or the summaries of the level below
    (mergeSummaries).
    """
    pages = WORD_BITS << LEVEL_SHIFT * level  # of a part
    start, longest, run = -1, 0, 0
    for child in range(index << LEVEL_SHIFT, (index + 1) << LEVEL_SHIFT):
        if level == 0:
            word = word_of(heap, row_of(child * WORD_BITS))
            head, tail = trailing_zeros64(word), leading_zeros64(word)
            inner = longest_run(word, max(longest, run + head))
        else:
            part = heap.summary[level - 1, child]
            head, inner, tail = part.start, part.max_, part.end
        run += head
        if head < pages:
            start = run if start < 0 else start
            longest = max(longest, max(run, inner))
            run = tail
    start, longest = run if start < 0 else start, max(longest, run)
    summary = heap.summary[level, index]
    if summary.start == start and summary.max_ == longest and summary.end == run:
        return False
    summary.start, summary.max_, summary.end = start, longest, run
    return True
