"""Large objects and stack segments: each has whole pages in a span of its own (alloclarge).

Invariant: the pages of a free span are all zeros. `free_large` clears the pages that it frees.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.raw import clear_pages
from allocsim.designs.go2008.page_heap import allocate_aligned_span, allocate_span, free_span
from allocsim.designs.go2008.pagemap import PAGE, PAGE_SHIFT, span_of
from allocsim.designs.go2008.records import LARGE, Go2008, SpanState


@kernel
def allocate_large(heap: Go2008, request: int, state: int) -> int:
    """Allocate whole pages; return their address, or 0 on failure (alloclarge).

    `state` is IN_USE for a large object and STACK for a stack segment.
    """
    system = heap.system[0]
    if request > system.limit:  # rounding it up to pages could overflow
        system.refusal = Status.OUT_OF_MEMORY
        return 0
    span = allocate_span(heap, (request + PAGE - 1) >> PAGE_SHIFT)
    return _use_span(heap, span, state)


@kernel
def allocate_aligned_large(heap: Go2008, request: int, alignment: int) -> int:
    """Allocate a large object at a multiple of `alignment`; return 0 on failure.

    `alignment` is larger than a page.
    """
    system = heap.system[0]
    if max(request, alignment) > system.limit:
        system.refusal = Status.OUT_OF_MEMORY
        return 0
    pages = max(request + PAGE - 1, PAGE) >> PAGE_SHIFT
    return _use_span(heap, allocate_aligned_span(heap, pages, alignment), SpanState.IN_USE)


@kernel
def _use_span(heap: Go2008, span: int, state: int) -> int:
    """Use `span` for a large object or a stack segment; return its address, or 0 if `span` is 0."""
    if span == 0:
        return 0
    record = heap.span[span]
    record.size_class = LARGE
    record.state = state
    heap.counters[0].large_pages += record.pages
    return record.address


@kernel
def free_large(heap: Go2008, span: int) -> None:
    """Clear a large object or a stack segment and free its span."""
    record = heap.span[span]
    heap.counters[0].large_pages -= record.pages
    clear_pages(record.address, record.pages << PAGE_SHIFT)
    free_span(heap, span)


@kernel
def allocate_stack(heap: Go2008, request: int) -> int:
    """Allocate a stack segment of at least `request` bytes; return 0 on failure.

    In Go's malloc, allocstack and freestack are only stubs.
    """
    return allocate_large(heap, max(request, 1), SpanState.STACK)


@kernel
def free_stack(heap: Go2008, address: int) -> int:
    """Free the stack segment at `address`; return a Status."""
    span = span_of(heap, address)
    record = heap.span[span]
    if record.state != SpanState.STACK:
        return Status.UNKNOWN_POINTER
    if record.address != address:
        return Status.NOT_SPAN_START
    free_large(heap, span)
    return Status.OK
