"""Large objects and stack segments: whole pages, a span for each.

Above the page heap, whose spans these are; below the designs. Its one rule: the pages are all
zeros when they are given out, because they are cleared when they come back.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.raw import clear_pages
from allocsim.designs.go2008.page_heap import give_back, take_aligned_run, take_run
from allocsim.designs.go2008.pagemap import PAGE, PAGE_SHIFT
from allocsim.designs.go2008.records import LARGE, RECIPROCAL_SHIFT, Go2008, Span, SpanState


@kernel
def allocate_pages(heap: Go2008, request: int, state: int) -> int:
    """The address of a large object or stack segment of its own span; 0: refused."""
    system = heap.system[0]
    if request > system.limit:  # rounding it up to pages could overflow
        system.refusal = Status.OUT_OF_MEMORY
        return 0
    span = take_run(heap, (request + PAGE - 1) >> PAGE_SHIFT)
    return _large(heap, span, state)


@kernel
def allocate_aligned_pages(heap: Go2008, request: int, alignment: int) -> int:
    """The address of a large object at a multiple of more than a page; 0: refused."""
    system = heap.system[0]
    if max(request, alignment) > system.limit:
        system.refusal = Status.OUT_OF_MEMORY
        return 0
    pages = max(request + PAGE - 1, PAGE) >> PAGE_SHIFT
    return _large(heap, take_aligned_run(heap, pages, alignment), SpanState.IN_USE)


@kernel
def _large(heap: Go2008, span: int, state: int) -> int:
    """Make `span` a large object or a stack segment; its address, or 0 if it is the null span."""
    if span == 0:
        return 0
    record = heap.span[span]
    record.size_class = LARGE
    record.state = state
    heap.counters[0].large_pages += record.pages
    return record.address


@kernel
def free_pages(heap: Go2008, span: int) -> None:
    """Clear a large object or stack segment, and give its pages back."""
    record = heap.span[span]
    heap.counters[0].large_pages -= record.pages
    clear_pages(record.address, record.pages << PAGE_SHIFT)
    give_back(heap, span)


@kernel
def address_status(record: Span, address: int) -> int:
    """Whether free would take `address`, which lies on a page of the span `record`."""
    if record.state != SpanState.IN_USE:
        return Status.UNKNOWN_POINTER
    offset = address - record.address
    if record.size_class == LARGE:
        return Status.OK if offset == 0 else Status.NOT_SPAN_START
    index = offset * record.reciprocal >> RECIPROCAL_SHIFT
    if index * record.object_size != offset or index >= record.objects:
        return Status.NOT_OBJECT_START
    return Status.OK
