"""Spans: runs of pages, and the lists that free ones sit on.

Above `pagemap`; below the page heap, which decides which span to use. A span keeps its number for
good: spans are made, cut and put on lists, never forgotten. The lists are singly linked, last in
first out; one that is kept in another order says so where it is.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.records import LARGE, SPAN, HeapState, SpanState
from allocsim.core.system import take_metadata
from allocsim.designs.go2008.pagemap import PAGE_SHIFT, enter

SPAN_BYTES = SPAN.itemsize


@kernel
def make_span(heap: HeapState, address: int, pages: int) -> int:
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
def split(heap: HeapState, span: int, pages: int) -> int:
    """Cut `span` behind its first `pages` pages; the new span of the rest, or 0: refused."""
    record = heap.span[span]
    rest = make_span(heap, record.address + (pages << PAGE_SHIFT), record.pages - pages)
    if rest:
        record.pages = pages
        heap.counters[0].splits += 1
    return rest


@kernel
def push(heap: HeapState, listed: int, span: int) -> None:
    """Put a span at the head of page list `listed`."""
    page_list = heap.page_list[listed]
    heap.span[span].next = page_list.head
    page_list.head = span
    page_list.spans += 1


@kernel
def remove_after(heap: HeapState, listed: int, before: int) -> int:
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
