"""The splitting page heap: free runs of pages, best fit, cut to length, never joined again.

Above `spans`; below the refill and the large objects, which take runs here. List i holds the free
spans of exactly i pages, last in first out; the last list holds all longer ones in ascending
length, a new span before its equals. Its one rule: a span on a list is FREE, and no other is.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.system import take_pages
from allocsim.designs.go2008.metadata import take_metadata
from allocsim.designs.go2008.pagemap import PAGE_SHIFT, enter
from allocsim.designs.go2008.records import LARGE, Go2008, Span, SpanState

LONG = 256
"""Spans of this many pages and more share one list; also the least that the heap grows by."""


@kernel
def take_run(heap: Go2008, pages: int) -> int:
    """A span of exactly `pages` pages, in use, of no class yet; 0: refused."""
    span = _best_fit(heap, pages)
    if span == 0:
        span = _grow(heap, max(pages, LONG))
    if span == 0:
        return 0
    record = heap.span[span]
    if record.pages > pages:
        rest = split(heap, span, pages)
        if rest == 0:
            give_back(heap, span)
            return 0
        give_back(heap, rest)
    record.state = SpanState.IN_USE
    return span


@kernel
def take_aligned_run(heap: Go2008, pages: int, alignment: int) -> int:
    """A span of `pages` pages whose address is a multiple of `alignment`, a power of two."""
    spare = (alignment >> PAGE_SHIFT) - 1
    span = take_run(heap, pages + spare)
    if span == 0:
        return 0
    address = heap.span[span].address
    ahead = (((address + alignment - 1) & -alignment) - address) >> PAGE_SHIFT
    if ahead:
        span = _cut(heap, span, ahead, False)
    if span and heap.span[span].pages > pages:
        span = _cut(heap, span, pages, True)
    return span


@kernel
def give_back(heap: Go2008, span: int) -> None:
    """Put a span on the free list for its length."""
    record = heap.span[span]
    record.state = SpanState.FREE
    record.size_class = LARGE
    heap.counters[0].free_spans += 1
    heap.counters[0].free_pages += record.pages
    if record.pages < LONG:
        push(heap, record.pages, span)
    else:
        _insert_long(heap, span)


@kernel
def _cut(heap: Go2008, span: int, pages: int, keep_front: bool) -> int:
    """Cut a span in use behind `pages` pages, free the part not kept; the other, or 0: refused."""
    rest = split(heap, span, pages)
    if rest == 0:
        give_back(heap, span)
        return 0
    give_back(heap, rest if keep_front else span)
    return span if keep_front else rest


@kernel
def _best_fit(heap: Go2008, pages: int) -> int:
    """Take the shortest free span of at least `pages` pages off its list; 0 if there is none."""
    listed, before = pages, 0
    while listed < LONG and heap.page_list[listed].head == 0:
        listed += 1
    if listed >= LONG:
        listed = LONG
        before, candidate = _long_behind(heap, pages)
        if candidate == 0:
            return 0
    span = remove_after(heap, listed, before)
    heap.counters[0].free_spans -= 1
    heap.counters[0].free_pages -= heap.span[span].pages
    return span


@kernel
def _grow(heap: Go2008, pages: int) -> int:
    """A new span of `pages` pages from the operating system; 0: refused."""
    address = take_pages(heap, pages << PAGE_SHIFT)
    if address == 0:
        return 0
    heap.counters[0].grows += 1
    return make_span(heap, address, pages)


@kernel
def _long_behind(heap: Go2008, pages: int) -> tuple[int, int]:
    """The first long free span of at least `pages` pages, and the one before it; 0 for none."""
    before, span = 0, int(heap.page_list[LONG].head)
    while span and heap.span[span].pages < pages:
        before, span = span, int(heap.span[span].next)
    return before, span


@kernel
def _insert_long(heap: Go2008, span: int) -> None:
    """Put a span on the list of long ones, behind all shorter and before its equals."""
    before, _ = _long_behind(heap, heap.span[span].pages)
    if before == 0:
        push(heap, LONG, span)
        return
    heap.span[span].next = heap.span[before].next
    heap.span[before].next = span
    heap.page_list[LONG].spans += 1


SPAN_BYTES = Span.dtype.itemsize


@kernel
def make_span(heap: Go2008, address: int, pages: int) -> int:
    """A new span over `pages` pages from `address` on, entered in the page map; 0: refused."""
    counters = heap.counters[0]
    span = counters.spans + 1
    if span >= len(heap.span):
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    if not take_metadata(heap, SPAN_BYTES) or not enter(heap, address, pages, span):
        return 0
    counters.spans = span
    record = heap.span[span]
    record.address = address
    record.pages = pages
    record.size_class = LARGE
    record.state = SpanState.IN_USE
    return span


@kernel
def split(heap: Go2008, span: int, pages: int) -> int:
    """Cut `span` behind its first `pages` pages; the new span of the rest, or 0: refused."""
    record = heap.span[span]
    rest = make_span(heap, record.address + (pages << PAGE_SHIFT), record.pages - pages)
    if rest:
        record.pages = pages
        heap.counters[0].splits += 1
    return rest


@kernel
def push(heap: Go2008, listed: int, span: int) -> None:
    """Put a span at the head of page list `listed`."""
    page_list = heap.page_list[listed]
    heap.span[span].next = page_list.head
    page_list.head = span
    page_list.spans += 1


@kernel
def remove_after(heap: Go2008, listed: int, before: int) -> int:
    """Take the span behind `before` (0: the head) off its non-empty page list, and return it."""
    page_list = heap.page_list[listed]
    span = heap.span[before].next if before else page_list.head
    if before:
        heap.span[before].next = heap.span[span].next
    else:
        page_list.head = heap.span[span].next
    heap.span[span].next = 0
    page_list.spans -= 1
    return span
