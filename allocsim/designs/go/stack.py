"""Stack segments: whole pages that `free` does not accept (mheap.allocManual)."""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.designs.go.mheap import alloc_span, free_span
from allocsim.designs.go.records import STACK, Go
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT
from allocsim.designs.go.spans import entry_of, page_of, span_of


@kernel
def allocate_stack(heap: Go, request: int) -> int:
    """Allocate a stack segment; return its address, or 0 on failure."""
    return alloc_manual(heap, request)


@kernel
def alloc_manual(heap: Go, request: int) -> int:
    """Allocate whole pages for `request` bytes; return their address, or 0 on failure."""
    if request > heap.system[0].limit:  # rounding it up to pages could overflow
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    npages = (max(request, 1) + PAGE - 1) >> PAGE_SHIFT
    span = alloc_span(heap, npages, STACK)
    if span == 0:
        return 0
    record = heap.mspan[span]
    heap.spans[page_of(heap, record.start_addr)] = entry_of(span, 0, 0)
    _count_manual(heap, npages)
    return record.start_addr


@kernel
def free_stack(heap: Go, address: int) -> int:
    """Free a stack segment. Returns a Status; nothing changes unless it is OK."""
    if not 0 <= page_of(heap, address) < len(heap.spans):
        return Status.UNKNOWN_POINTER
    span = span_of(heap, address)
    record = heap.mspan[span]
    if span == 0 or heap.span_use[span].size_class != STACK:
        return Status.UNKNOWN_POINTER
    if address != record.start_addr:
        return Status.NOT_SPAN_START
    _count_manual(heap, -record.npages)
    free_span(heap, span)
    return Status.OK


@kernel
def _count_manual(heap: Go, npages: int) -> None:
    """Count pages of spans as pages of stack segments; a negative number undoes this."""
    mheap = heap.mheap[0]
    mheap.pages_in_use -= npages
    mheap.manual_pages += npages
    heap.counters[0].large_pages += npages
