"""Spans: how they are created, split, and kept on page lists (struct Span).

Spans are never merged or destroyed, so a span keeps the number that it got when it was created.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.designs.go2008.metadata import allocate_metadata
from allocsim.designs.go2008.pagemap import PAGE_SHIFT, insert_span
from allocsim.designs.go2008.records import LARGE, Go2008, Span, SpanState

SPAN_BYTES = Span.dtype.itemsize
"""Metadata of a span."""


@kernel
def new_span(heap: Go2008, address: int, pages: int) -> int:
    """Create a span of `pages` pages from `address` on and map its pages; return 0 on failure."""
    counters = heap.counters[0]
    span = counters.spans + 1
    if span >= len(heap.span):
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    if not allocate_metadata(heap, SPAN_BYTES) or not insert_span(heap, address, pages, span):
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
    """Split `span` after its first `pages` pages (shrinkspan).

    Returns the new span that holds the rest, or 0 on failure. On failure `span` is unchanged.
    """
    record = heap.span[span]
    rest = new_span(heap, record.address + (pages << PAGE_SHIFT), record.pages - pages)
    if rest:
        record.pages = pages
        heap.counters[0].splits += 1
    return rest


@kernel
def push_span(heap: Go2008, list_index: int, span: int) -> None:
    """Push `span` on a page list."""
    page_list = heap.page_list[list_index]
    heap.span[span].next = page_list.head
    page_list.head = span
    page_list.spans += 1


@kernel
def remove_after(heap: Go2008, list_index: int, previous: int) -> int:
    """Remove and return the span after `previous`, or the first span if `previous` is 0.

    The page list must contain the span to remove.
    """
    page_list = heap.page_list[list_index]
    span = heap.span[previous].next if previous else page_list.head
    if previous:
        heap.span[previous].next = heap.span[span].next
    else:
        page_list.head = heap.span[span].next
    heap.span[span].next = 0
    page_list.spans -= 1
    return span
