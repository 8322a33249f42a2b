"""malloc_trim: release free pages to the operating system on request (malloc.c, mtrim)."""

from __future__ import annotations

from allocsim.core.jit import cold, kernel
from allocsim.core.raw import advise
from allocsim.core.system import MADV_DONTNEED
from allocsim.designs.glibc.bins import NBINS, UNSORTED, bin_at, bin_index
from allocsim.designs.glibc.chunks import PAGE, align_down, align_up, bk, chunksize
from allocsim.designs.glibc.int_free import malloc_consolidate, systrim
from allocsim.designs.glibc.records import Glibc

CHUNK_FIELDS = 48
"""Bytes at the start of a free chunk that are never released (sizeof (struct malloc_chunk))."""


@kernel
def release(heap: Glibc, length: int) -> int:
    """Call malloc_trim(0) if `length` is positive; return by how many bytes the heap shrank.

    The library releases all that it can, whatever the length: the end of the main arena, and whole
    free pages in every arena. Only the end of the main arena makes the heap shrink. The other pages
    stay in the heap without using physical memory.
    """
    return malloc_trim(heap, 0) if length > 0 else 0


@cold
def malloc_trim(heap: Glibc, pad: int) -> int:
    """Consolidate and trim every arena; return by how many bytes the heap shrank (malloc_trim)."""
    av, returned = 0, 0
    while True:
        malloc_consolidate(heap, av)
        _release_free_pages(heap, av)
        if av == 0:
            returned = systrim(heap, pad)
        av = heap.arena[av].next
        if av == 0:
            return returned


@kernel
def _release_free_pages(heap: Glibc, av: int) -> None:
    """Release the whole pages inside an arena's free chunks to the operating system."""
    arena = heap.arena[av]
    for index in range(UNSORTED, NBINS - 1):
        if index == UNSORTED or index >= bin_index(PAGE):
            head = bin_at(arena, index)
            p = bk(head)
            while p != head:
                first = align_up(p + CHUNK_FIELDS)
                length = align_down(p + chunksize(p) - first)
                if length > 0:
                    advise(first, length, MADV_DONTNEED)
                p = bk(p)
