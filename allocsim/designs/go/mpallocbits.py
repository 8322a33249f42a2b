"""Page bitmaps: a bit for each of the 512 pages of a chunk (runtime/mpallocbits.go).

A chunk has two bitmaps of 8 words each. A bit of the first says that a page is in use (pallocBits);
a bit of the second says that it is released (scavenged). The pages of the page cache are marked as
in use.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.go.records import Go
from allocsim.designs.go.sys import (
    WORD_BITS,
    leading_zeros64,
    ones,
    ones_count64,
    shift_right,
    starts_of_runs,
    trailing_zeros64,
)

CHUNK_PAGES = 512
"""Pages of a chunk, the unit in which the heap grows (pallocChunkPages)."""

CHUNK_SHIFT = 9
"""Log2 of CHUNK_PAGES."""

CHUNK_WORDS = CHUNK_PAGES // WORD_BITS
"""Number of words of one bitmap of a chunk."""

SCAVENGED = CHUNK_WORDS
"""Distance from a word of the first bitmap to the word of the second for the same pages."""


@kernel
def row_of(page: int) -> int:
    """Return the index in `palloc_bits` of the word that contains the bit of `page`."""
    return ((page >> CHUNK_SHIFT) * 2 * CHUNK_WORDS) + ((page >> 6) & (CHUNK_WORDS - 1))


@kernel
def word_of(heap: Go, row: int) -> int:
    """Return a word of the bitmaps."""
    return int(heap.palloc_bits[row])


@kernel
def alloc_range(heap: Go, first: int, npages: int) -> int:
    """Mark free pages as in use; return how many of them were released (pallocData.allocRange)."""
    page, end, released = first, first + npages, 0
    while page < end:
        count = min(WORD_BITS - (page & 63), end - page)
        row, pages = row_of(page), ones(page & 63, count)
        heap.palloc_bits[row] |= pages
        released += ones_count64(word_of(heap, row + SCAVENGED) & pages)
        heap.palloc_bits[row + SCAVENGED] &= ~pages
        page += count
    return released


@kernel
def free_range(heap: Go, first: int, npages: int, released: int) -> None:
    """Mark pages as free, and as released if `released` is 1 (pallocBits.free)."""
    page, end = first, first + npages
    while page < end:
        count = min(WORD_BITS - (page & 63), end - page)
        row, pages = row_of(page), ones(page & 63, count)
        heap.palloc_bits[row] &= ~pages
        if released:
            heap.palloc_bits[row + SCAVENGED] |= pages
        page += count


@kernel
def find_in_chunk(heap: Go, chunk: int, npages: int) -> int:
    """Return the first page of the lowest run of `npages` free pages (pallocBits.find).

    Returns -1 if the chunk has no such run.
    """
    first = chunk << CHUNK_SHIFT
    before = 0  # number of free pages right before the pages of the word
    for index in range(CHUNK_WORDS):
        page = first + index * WORD_BITS
        word = word_of(heap, row_of(page))
        if before + trailing_zeros64(word) >= npages:
            return page - before
        if npages < WORD_BITS:
            starts = starts_of_runs(~word, npages)
            if starts:
                return page + trailing_zeros64(starts)
        before = before + WORD_BITS if word == 0 else leading_zeros64(word)
    return -1


@kernel
def longest_run(word: int, longest: int) -> int:
    """Return the length of the longest run of clear bits in a word, or `longest` if that is more.

    `longest` is the longest run found so far; only longer runs are searched for.
    """
    free = ~word
    while longest < ones_count64(free):  # a run is no longer than the number of free pages
        starts = starts_of_runs(free, longest + 1)
        if starts == 0:
            break
        longest = trailing_zeros64(~shift_right(free, trailing_zeros64(starts)))
    return longest
