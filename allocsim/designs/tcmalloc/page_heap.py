"""The joining page heap: free runs of pages, best fit, joined with their neighbours when freed.

Above the linked spans and their sets; below the central lists and the large objects. Free runs are
of two states, FREE and RETURNED (given back to the OS): lists by exact length up to LONG pages,
newest first, and a set for each state beyond. What the heap gives back, and when, is
`page_release`. Its one rule: two neighbours in the same state are one span, except for the rest
that a cut leaves, which has no such neighbour. (gperftools 2.10, src/page_heap.cc.)
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState
from allocsim.core.system import reuse_pages
from allocsim.designs.tcmalloc.metadata import book_record
from allocsim.designs.tcmalloc.pagemap import enter_bounds, span_at
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT
from allocsim.designs.tcmalloc.span import (
    FREE_HEAD,
    LONG,
    RETURNED_HEAD,
    forget_span,
    new_span,
    prepend,
    unlink,
)
from allocsim.designs.tcmalloc.span_set import (
    FREE_SEAT,
    RETURNED_SEAT,
    add_to_set,
    first_of_length,
    seat_of_set,
    take_from_set,
)
from allocsim.designs.tcmalloc.system_alloc import decommit

LONG_SPANS_PER_CHUNK = 2730
"""Nodes of the sets in a chunk of metadata."""


@kernel
def best_fit(heap: HeapState, pages: int) -> int:
    """A span of exactly `pages` pages, in use now, cut from the best fit; 0 if there is none."""
    for length in range(pages, LONG + 1):
        for head in (FREE_HEAD + length, RETURNED_HEAD + length):
            span = heap.span[head].next
            if span != head:
                return _carve(heap, span, pages)
    span = _best_long(heap, pages)
    return _carve(heap, span, pages) if span else 0


@kernel
def _best_long(heap: HeapState, pages: int) -> int:
    """The best fit among the long spans: the shortest, then the lowest; 0 if there is none."""
    free = first_of_length(heap, FREE_SEAT, pages)
    returned = first_of_length(heap, RETURNED_SEAT, pages)
    if free == 0 or returned == 0:
        return free or returned
    one, other = heap.span[free], heap.span[returned]
    if other.pages < one.pages or (other.pages == one.pages and other.address < one.address):
        return returned
    return free


@kernel
def _carve(heap: HeapState, span: int, pages: int) -> int:
    """Take the low `pages` pages of a free span; the rest stays free as it was. 0: refused."""
    record = heap.span[span]
    state = record.state
    take_off(heap, span)
    if record.pages > pages:
        rest = new_span(
            heap, record.address + (pages << PAGE_SHIFT), record.pages - pages, int(state)
        )
        if rest == 0:
            put_back(heap, span)
            return 0
        put_back(heap, rest)
        record.pages = pages
        enter_bounds(heap, span)
        heap.counters[0].splits += 1
    record.state = SpanState.IN_USE
    if state == SpanState.RETURNED:
        reuse_pages(heap, pages << PAGE_SHIFT)
        heap.page_heap[0].commits += 1
        heap.page_heap[0].committed_pages += pages
    return span


@kernel
def cut(heap: HeapState, span: int, pages: int) -> int:
    """Cut a span in use behind its first `pages` pages; the span of the rest, or 0: refused."""
    record = heap.span[span]
    rest = new_span(
        heap, record.address + (pages << PAGE_SHIFT), record.pages - pages, SpanState.IN_USE
    )
    if rest:
        record.pages = pages
        enter_bounds(heap, span)
        heap.counters[0].splits += 1
    return rest


@kernel
def join(heap: HeapState, span: int) -> None:
    """Join a span, free and on no list yet, with its neighbours, and put it on its list."""
    record = heap.span[span]
    if heap.page_heap[0].aggressive and record.state == SpanState.FREE:
        decommit(heap, span)
        record.state = SpanState.RETURNED
    before = span_at(heap, record.address - 1)
    behind = span_at(heap, record.address + (record.pages << PAGE_SHIFT))
    if _joins(heap, record.state, before):
        record.address = heap.span[before].address
        record.pages += heap.span[before].pages
        forget_span(heap, before)
    if _joins(heap, record.state, behind):
        record.pages += heap.span[behind].pages
        forget_span(heap, behind)
    enter_bounds(heap, span)
    put_back(heap, span)


@kernel
def _joins(heap: HeapState, state: int, neighbour: int) -> bool:
    """Whether `neighbour` can be joined to a span in `state`; then it is off its list."""
    other = heap.span[neighbour]
    if (
        heap.page_heap[0].aggressive
        and other.state == SpanState.FREE
        and state == SpanState.RETURNED
    ):
        decommit(heap, neighbour)
    elif other.state != state:
        return False
    take_off(heap, neighbour)
    heap.counters[0].coalesces += 1
    return True


@kernel
def put_back(heap: HeapState, span: int) -> None:
    """Put a free span on the list for its length, or into the set of its state, and count it."""
    record, page_heap = heap.span[span], heap.page_heap[0]
    head = FREE_HEAD
    if record.state == SpanState.FREE:
        page_heap.free += record.pages
    else:
        page_heap.returned += record.pages
        head = RETURNED_HEAD
    heap.counters[0].free_spans += 1
    if record.pages <= LONG:
        prepend(heap, head + record.pages, span)
        return
    add_to_set(heap, seat_of_set(int(record.state)), span)
    page_heap.long_spans += 1
    if page_heap.long_spans > page_heap.most_long_spans:
        page_heap.most_long_spans = page_heap.long_spans
        book_record(heap, page_heap.long_spans, LONG_SPANS_PER_CHUNK)


@kernel
def take_off(heap: HeapState, span: int) -> None:
    """Take a free span off its list, or out of its set, and count it no more."""
    record, page_heap = heap.span[span], heap.page_heap[0]
    if record.state == SpanState.FREE:
        page_heap.free -= record.pages
    else:
        page_heap.returned -= record.pages
    heap.counters[0].free_spans -= 1
    if record.pages <= LONG:
        unlink(heap, span)
    else:
        take_from_set(heap, seat_of_set(int(record.state)), span)
        page_heap.long_spans -= 1
