"""Large objects and stack segments: a span for each (do_malloc_pages in src/tcmalloc.cc).

The page map has class 0 for their pages, so `free` distinguishes them from small objects before it
reads a span record.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.designs.tcmalloc.cache_limit import create_cache_if_necessary
from allocsim.designs.tcmalloc.page_heap import split
from allocsim.designs.tcmalloc.page_release import delete_run, new_run
from allocsim.designs.tcmalloc.pagemap import ADDRESS_BITS, get_descriptor
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc
from allocsim.designs.tcmalloc.size_classes import PAGE, PAGE_SHIFT
from allocsim.designs.tcmalloc.span import can_make_spans


@out_of_line
def allocate_pages(heap: Tcmalloc, thread: int, request: int) -> int:
    """Allocate a large object; return its address, or 0 on failure (do_malloc_pages).

    As in the library, a thread without a cache gets one, although large objects bypass the cache.
    """
    if not create_cache_if_necessary(heap, thread):
        return 0
    return _allocate(heap, request, SpanState.IN_USE)


@out_of_line
def allocate_stack_pages(heap: Tcmalloc, request: int) -> int:
    """Allocate a stack segment; return its address, or 0 on failure."""
    return _allocate(heap, max(request, 1), SpanState.STACK)


@kernel
def _allocate(heap: Tcmalloc, request: int, state: int) -> int:
    """Allocate whole pages for `request` bytes; return their address, or 0 on failure."""
    if request > heap.system[0].limit:  # rounding it up to pages could overflow
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    span = new_run(heap, (request + PAGE - 1) >> PAGE_SHIFT)
    if span == 0:
        return 0
    record = heap.span[span]
    record.state = state
    heap.counters[0].large_pages += record.pages
    return record.address


@out_of_line
def memalign_pages(heap: Tcmalloc, request: int, alignment: int) -> int:
    """Allocate a large object aligned to more than a page (do_memalign); return 0 on failure.

    A span longer than the object is allocated, and the pages before and after the object are freed
    again. Splitting takes up to three span records: one for the remainder of the best fit and one
    for each end. First, a check ensures that all three can be created, so that a failure cannot
    leave the span half split.
    """
    if max(request, alignment) > heap.system[0].limit:
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    if not can_make_spans(heap, 3):
        return 0
    request = max(request, 1)
    span = new_run(heap, (request + alignment + PAGE - 1) >> PAGE_SHIFT)
    if span == 0:
        return 0
    address = heap.span[span].address
    skipped = (((address + alignment - 1) & -alignment) - address) >> PAGE_SHIFT
    if skipped:
        aligned = split(heap, span, skipped)
        delete_run(heap, span)
        span = aligned
    needed = (request + PAGE - 1) >> PAGE_SHIFT
    if heap.span[span].pages > needed:
        delete_run(heap, split(heap, span, needed))
    heap.counters[0].large_pages += heap.span[span].pages
    return heap.span[span].address


@out_of_line
def free_pages(heap: Tcmalloc, address: int) -> int:
    """Free a large object (do_free_pages). Returns a Status; nothing changes unless it is OK."""
    status = page_status(heap, address, SpanState.IN_USE)
    if status == Status.OK:
        _delete(heap, address)
    return status


@out_of_line
def free_stack_pages(heap: Tcmalloc, address: int) -> int:
    """Free a stack segment. Returns a Status; nothing changes unless it is OK."""
    status = page_status(heap, address, SpanState.STACK)
    if status == Status.OK:
        _delete(heap, address)
    return status


@kernel
def _delete(heap: Tcmalloc, address: int) -> None:
    """Free the pages of the span at `address`."""
    span = get_descriptor(heap, address)
    heap.counters[0].large_pages -= heap.span[span].pages
    delete_run(heap, span)


@kernel
def page_status(heap: Tcmalloc, address: int, state: int) -> int:
    """Return OK if a span in `state`, without small objects, starts at `address`.

    Otherwise, returns the Status of the error.
    """
    if address < 0 or address >> ADDRESS_BITS:
        return Status.UNKNOWN_POINTER
    record = heap.span[get_descriptor(heap, address)]
    end = record.address + (record.pages << PAGE_SHIFT)
    # In a span without a class, page map entries of inner pages may be left over from other spans.
    if record.state != state or not record.address <= address < end:
        return Status.UNKNOWN_POINTER
    return Status.OK if address == record.address else Status.NOT_SPAN_START
