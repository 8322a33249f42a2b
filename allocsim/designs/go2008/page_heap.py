"""Page heap: allocates the best fit and never coalesces (malloc.c: allocspan, freespan, Central).

List i holds the free spans of exactly i pages, last in first out. The last list holds all longer
spans in ascending length, so the first one that is long enough is the best fit. A span that is
added to the last list is inserted before spans of the same length.

Invariant: a span is FREE if and only if it is on the list for its length.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.system import take_pages
from allocsim.designs.go2008.pagemap import PAGE_SHIFT
from allocsim.designs.go2008.records import LARGE, Go2008, SpanState
from allocsim.designs.go2008.span import new_span, push_span, remove_after, split

LARGE_LIST = 256
"""Index of the list of all free spans of this many pages or more (Central.large)."""

MIN_GROWTH = 256
"""Minimum heap growth in pages: 1 MiB."""


@kernel
def allocate_span(heap: Go2008, pages: int) -> int:
    """Allocate a span of exactly `pages` pages, without a class; return 0 on failure (allocspan).

    A longer free span is split: it keeps its first pages, and the rest becomes a new free span.
    """
    span = _best_fit(heap, pages)
    if span == 0:
        span = _grow(heap, max(pages, MIN_GROWTH))
    if span == 0:
        return 0
    record = heap.span[span]
    if record.pages > pages:
        rest = split(heap, span, pages)
        if rest == 0:
            free_span(heap, span)  # the whole span, because a failed split changes nothing
            return 0
        free_span(heap, rest)
    record.state = SpanState.IN_USE
    return span


@kernel
def allocate_aligned_span(heap: Go2008, pages: int, alignment: int) -> int:
    """Allocate a span whose address is a multiple of `alignment`, a power of two.

    Returns 0 on failure. Go's malloc has no such call. This kernel allocates a span that is long
    enough at any start address, and frees the pages before and after the aligned part.
    """
    spare = (alignment >> PAGE_SHIFT) - 1  # needed if the span starts one page after a multiple
    span = allocate_span(heap, pages + spare)
    if span == 0:
        return 0
    address = heap.span[span].address
    before = (((address + alignment - 1) & -alignment) - address) >> PAGE_SHIFT
    if before:
        span = _trim(heap, span, before, False)
    if span and heap.span[span].pages > pages:
        span = _trim(heap, span, pages, True)
    return span


@kernel
def free_span(heap: Go2008, span: int) -> None:
    """Put `span` on the free list for its length (freespan)."""
    record = heap.span[span]
    record.state = SpanState.FREE
    record.size_class = LARGE
    heap.counters[0].free_spans += 1
    heap.static[0].free_pages += record.pages
    if record.pages < LARGE_LIST:
        push_span(heap, record.pages, span)
    else:
        _insert_large(heap, span)


@kernel
def _trim(heap: Go2008, span: int, pages: int, keep_front: bool) -> int:
    """Split a span in use after its first `pages` pages, and free one part.

    Returns the part that is kept, or 0 on failure. On failure the whole span is freed.
    """
    rest = split(heap, span, pages)
    if rest == 0:
        free_span(heap, span)
        return 0
    free_span(heap, rest if keep_front else span)
    return span if keep_front else rest


@kernel
def _best_fit(heap: Go2008, pages: int) -> int:
    """Remove the shortest free span of at least `pages` pages from its list.

    Returns the span, or 0 if none is long enough.
    """
    list_index, previous = pages, 0
    while list_index < LARGE_LIST and heap.page_list[list_index].head == 0:
        list_index += 1
    if list_index >= LARGE_LIST:
        list_index = LARGE_LIST
        previous, candidate = _find_large(heap, pages)
        if candidate == 0:
            return 0
    span = remove_after(heap, list_index, previous)
    heap.counters[0].free_spans -= 1
    heap.static[0].free_pages -= heap.span[span].pages
    return span


@kernel
def _grow(heap: Go2008, pages: int) -> int:
    """Obtain `pages` pages from the OS; return a span of them, or 0 on failure."""
    address = take_pages(heap, pages << PAGE_SHIFT)
    if address == 0:
        return 0
    heap.counters[0].grows += 1
    return new_span(heap, address, pages)


@kernel
def _find_large(heap: Go2008, pages: int) -> tuple[int, int]:
    """Find the first span of at least `pages` pages on the large list.

    Returns (the span before it, the span); each is 0 if none exists.
    """
    previous, span = 0, int(heap.page_list[LARGE_LIST].head)
    while span and heap.span[span].pages < pages:
        previous, span = span, int(heap.span[span].next)
    return previous, span


@kernel
def _insert_large(heap: Go2008, span: int) -> None:
    """Insert `span` into the large list, after all shorter spans."""
    previous, _ = _find_large(heap, heap.span[span].pages)
    if previous == 0:
        push_span(heap, LARGE_LIST, span)
        return
    heap.span[span].next = heap.span[previous].next
    heap.span[previous].next = span
    heap.page_list[LARGE_LIST].spans += 1
