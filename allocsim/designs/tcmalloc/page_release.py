"""What a joining page heap gives back to the operating system, and when; and how it grows.

Above `joining_pages`; below whoever needs runs of pages: `new_run` and `delete_run` are the two
doors. Freed pages count down to the next release; one whole span is released at a time, from one
list after the other, so that none is emptied first. Its one rule: the countdown counts pages as
they are freed, before they are joined, and pages of growth as well. (gperftools 2.10.)
"""

from __future__ import annotations

from allocsim.core.jit import kernel, out_of_line
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.core.system import take_pages
from allocsim.designs.tcmalloc.metadata import book_record
from allocsim.designs.tcmalloc.page_heap import best_fit, join, take_off
from allocsim.designs.tcmalloc.pagemap import ensure_leaves, enter_class
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT
from allocsim.designs.tcmalloc.span import FREE_HEAD, LONG, new_span
from allocsim.designs.tcmalloc.span_set import FREE_SEAT, first_of_length
from allocsim.designs.tcmalloc.system_alloc import decommit

LEAST_GROWTH = 128
"""Pages that the heap grows by at least: 1 MiB."""

DELAY = 1 << 18
"""Pages to be freed before the first release, and after one that found nothing: 2 GiB."""

LONGEST_DELAY = 1 << 20
"""The most pages between two releases."""

FORCED = 128 << 20
"""A heap that grows past a multiple of so many bytes tries to join everything first."""

GROWTHS_PER_CHUNK = 496
"""Records of growth in a chunk of metadata."""

EVERYTHING = 0x7FFFFFFF
"""Pages: more than any heap has."""


@out_of_line
def new_run(heap: HeapState, pages: int) -> int:
    """A span of exactly `pages` pages, in use, of no class yet; 0: refused."""
    span = best_fit(heap, pages)
    if span == 0 and _is_worth_joining(heap, pages):
        release_pages(heap, EVERYTHING)
        span = best_fit(heap, pages)
    if span == 0 and (_grow(heap, max(pages, LEAST_GROWTH)) or _grow(heap, pages)):
        span = best_fit(heap, pages)
    return span


@out_of_line
def delete_run(heap: HeapState, span: int) -> int:
    """Take the pages of a span in use back; a Status."""
    record = heap.span[span]
    pages = int(record.pages)
    if record.size_class:
        enter_class(heap, span, 0)
    record.state = SpanState.FREE
    join(heap, span)
    page_heap = heap.page_heap[0]
    page_heap.countdown -= pages
    if page_heap.countdown < 0:
        _count_down_again(heap)
    return Status.OK


@out_of_line
def release_pages(heap: HeapState, pages: int) -> int:
    """Give whole free spans back until `pages` pages are; how many were: all there are, or more.

    A round through the lists ends early only when enough is given back, not when nothing is left.
    """
    page_heap, released = heap.page_heap[0], 0
    while released < pages and page_heap.free > 0:
        looked = 0
        while released < pages and looked <= LONG:
            index = page_heap.release_index
            span = _next_to_release(heap, index)
            if span:
                released += heap.span[span].pages
                _release_span(heap, span)
            page_heap.release_index = index + 1 if index < LONG else 0
            looked += 1
    return released


@kernel
def _release_span(heap: HeapState, span: int) -> None:
    """Give the pages of a FREE span back, and join it with its neighbours."""
    take_off(heap, span)
    decommit(heap, span)
    heap.span[span].state = SpanState.RETURNED
    join(heap, span)


@kernel
def release_bytes(heap: HeapState, length: int) -> int:
    """Give back about `length` bytes, less what was given back too much before; bytes released."""
    page_heap = heap.page_heap[0]
    if length <= page_heap.release_credit:
        page_heap.release_credit -= length
        return 0
    wanted = length - page_heap.release_credit
    released = release_pages(heap, max(wanted >> PAGE_SHIFT, 1)) << PAGE_SHIFT
    page_heap.release_credit = max(released - wanted, 0)
    return released


@kernel
def _next_to_release(heap: HeapState, index: int) -> int:
    """The oldest FREE span of index + 1 pages, or for LONG the shortest long one; 0: none."""
    if index == LONG:
        return first_of_length(heap, FREE_SEAT, 1)
    head = FREE_HEAD + index + 1
    span = heap.span[head].previous
    return 0 if span == head else span


@kernel
def _count_down_again(heap: HeapState) -> None:
    """The countdown has run out: give something back, and set it anew."""
    page_heap = heap.page_heap[0]
    page_heap.countdown = DELAY
    if page_heap.release_rate == 0:
        return
    page_heap.releases += 1
    released = release_pages(heap, 1)
    if released:
        wait = 1000.0 / page_heap.release_rate * released
        page_heap.countdown = min(int(wait), LONGEST_DELAY)


@kernel
def _is_worth_joining(heap: HeapState, pages: int) -> bool:
    """Whether to give everything back before growing, so that runs of both states can join.

    Only when a quarter of the heap is free in both states, and once in FORCED bytes of growth.
    """
    page_heap, size = heap.page_heap[0], heap.system[0].heap
    free = (page_heap.free + page_heap.returned) << PAGE_SHIFT
    return (
        page_heap.free != 0
        and page_heap.returned != 0
        and free >= size // 4
        and size // FORCED != (size + (pages << PAGE_SHIFT)) // FORCED
    )


@kernel
def _grow(heap: HeapState, pages: int) -> bool:
    """Obtain `pages` fresh pages and free them, so that they join what is free; False: refused."""
    length = pages << PAGE_SHIFT
    address = take_pages(heap, length)
    if address == 0:
        return False
    counters, page_heap = heap.counters[0], heap.page_heap[0]
    counters.grows += 1
    page_heap.commits += 1
    page_heap.committed_pages += pages
    if counters.grows > 1:
        book_record(heap, int(counters.grows), GROWTHS_PER_CHUNK)
    ensure_leaves(heap, address, length)
    delete_run(heap, new_span(heap, address, pages, SpanState.IN_USE))
    return True
