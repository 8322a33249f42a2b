"""Large objects and stack segments over a joining page heap: a run of pages for each.

Beside `large_objects`, which does the same over a splitting one. Its one rule: the page map gives
class 0 for them, so free tells them from small objects before it reads a span.
"""

from __future__ import annotations

from allocsim.core.jit import kernel, out_of_line
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.page_heap import cut
from allocsim.designs.tcmalloc.page_release import delete_run, new_run
from allocsim.designs.tcmalloc.pagemap import ADDRESS_BITS, span_at
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE, PAGE_SHIFT
from allocsim.designs.tcmalloc.thread_cache import require_cache


@out_of_line
def allocate_run(heap: HeapState, thread: int, request: int) -> int:
    """The address of a large object in pages of its own; 0: refused."""
    require_cache(heap, thread)
    return _allocate(heap, request, SpanState.IN_USE)


@out_of_line
def allocate_stack_run(heap: HeapState, request: int) -> int:
    """The address of a stack segment; 0: refused."""
    return _allocate(heap, max(request, 1), SpanState.STACK)


@kernel
def _allocate(heap: HeapState, request: int, state: int) -> int:
    """The address of pages of their own for `request` bytes; 0: refused."""
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
def allocate_aligned_run(heap: HeapState, request: int, alignment: int) -> int:
    """The address of a large object at a multiple of more than a page; 0: refused.

    What lies before and behind the pages that are needed is freed again.
    """
    if max(request, alignment) > heap.system[0].limit:
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    request = max(request, 1)
    span = new_run(heap, (request + alignment + PAGE - 1) >> PAGE_SHIFT)
    if span == 0:
        return 0
    address = heap.span[span].address
    ahead = (((address + alignment - 1) & -alignment) - address) >> PAGE_SHIFT
    if ahead:
        span = _cut_off(heap, span, ahead, False)
    needed = (request + PAGE - 1) >> PAGE_SHIFT
    if span and heap.span[span].pages > needed:
        span = _cut_off(heap, span, needed, True)
    if span == 0:
        return 0
    heap.counters[0].large_pages += heap.span[span].pages
    return heap.span[span].address


@kernel
def _cut_off(heap: HeapState, span: int, pages: int, keep_front: bool) -> int:
    """Cut a span in use behind `pages` pages and free the part not kept; the other; 0: refused."""
    rest = cut(heap, span, pages)
    if rest == 0:
        delete_run(heap, span)
        return 0
    delete_run(heap, rest if keep_front else span)
    return span if keep_front else rest


@out_of_line
def free_run(heap: HeapState, address: int) -> int:
    """Take a large object back; the Status says why not."""
    status = run_status(heap, address, SpanState.IN_USE)
    if status == Status.OK:
        _delete(heap, address)
    return status


@out_of_line
def free_stack_run(heap: HeapState, address: int) -> int:
    """Take a stack segment back; the Status says why not."""
    status = run_status(heap, address, SpanState.STACK)
    if status == Status.OK:
        _delete(heap, address)
    return status


@kernel
def _delete(heap: HeapState, address: int) -> None:
    """Free the pages of the run at `address`."""
    span = span_at(heap, address)
    heap.counters[0].large_pages -= heap.span[span].pages
    delete_run(heap, span)


@kernel
def run_status(heap: HeapState, address: int, state: int) -> int:
    """Whether a run in `state`, which holds no small objects, begins at `address`."""
    if address < 0 or address >> ADDRESS_BITS:
        return Status.UNKNOWN_POINTER
    record = heap.span[span_at(heap, address)]
    behind = record.address + (record.pages << PAGE_SHIFT)
    # Entries inside a run without a class may be left from spans that were there before.
    if record.state != state or not record.address <= address < behind:
        return Status.UNKNOWN_POINTER
    return Status.OK if address == record.address else Status.NOT_SPAN_START
