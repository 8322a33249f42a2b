"""Page release and heap growth (PageHeap in src/page_heap.cc).

`new_run` allocates pages, and `delete_run` frees them. Each freed page decrements a counter. When
the counter drops below zero, one whole span is released (the free lists take turns), and the
counter is reset according to `release_rate` (IncrementalScavenge). The pages by which the heap
grows are freed through `delete_run`, so they count too.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.system import take_pages
from allocsim.designs.tcmalloc.metadata import allocate_record
from allocsim.designs.tcmalloc.page_heap import (
    merge_into_free_list,
    remove_from_free_list,
    search_free_and_large_lists,
)
from allocsim.designs.tcmalloc.pagemap import ensure_leaves, register_size_class
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT
from allocsim.designs.tcmalloc.span import FREE_HEAD, MAX_PAGES, new_span
from allocsim.designs.tcmalloc.span_set import FREE_ROOT, lower_bound
from allocsim.designs.tcmalloc.system_alloc import decommit_span

MIN_SYSTEM_ALLOC = 128
"""Minimum heap growth in pages: 1 MiB (kMinSystemAlloc)."""

DEFAULT_RELEASE_DELAY = 1 << 18
"""Number of pages (2 GiB) to be freed before the first attempt to release a span. After an
attempt that releases nothing, the same number is to be freed before the next attempt."""

MAX_RELEASE_DELAY = 1 << 20
"""Maximum number of pages to be freed between two releases."""

FORCED_COALESCE_INTERVAL = 128 << 20
"""Before the heap grows past a multiple of this many bytes, it may release all its free spans so
that they coalesce."""

GROWTHS_PER_CHUNK = 496
"""Number of records of heap growth (StackTrace) in a chunk of metadata."""

ALL_PAGES = 0x7FFFFFFF
"""More pages than a heap has."""


@out_of_line
def new_run(heap: Tcmalloc, pages: int) -> int:
    """Allocate a span of `pages` pages, without a class; return 0 on failure (PageHeap::New)."""
    span = search_free_and_large_lists(heap, pages)
    # FREE spans do not coalesce with RETURNED ones. Once all free spans are released, any two
    # neighbours coalesce.
    if span == 0 and _is_worth_coalescing(heap, pages):
        release_at_least_n_pages(heap, ALL_PAGES)
        span = search_free_and_large_lists(heap, pages)
    # Near the end of the reservation, `pages` may still fit although the minimum growth does not.
    if span == 0 and (_grow_heap(heap, max(pages, MIN_SYSTEM_ALLOC)) or _grow_heap(heap, pages)):
        span = search_free_and_large_lists(heap, pages)
    return span


@out_of_line
def delete_run(heap: Tcmalloc, span: int) -> int:
    """Free the pages of a span in use; never fails (PageHeap::Delete). Returns a Status."""
    record = heap.span[span]
    pages = int(record.pages)  # merged neighbours do not count towards the next release
    if record.size_class:
        register_size_class(heap, span, 0)
    record.state = SpanState.FREE
    merge_into_free_list(heap, span)
    heap.page_heap[0].scavenge_counter -= pages
    if heap.page_heap[0].scavenge_counter < 0:
        _incremental_scavenge(heap)
    return Status.OK


@out_of_line
def release_at_least_n_pages(heap: Tcmalloc, pages: int) -> int:
    """Release whole FREE spans until `pages` pages are released, or no FREE span is left.

    Returns the pages released (ReleaseAtLeastNPages). As in the library, each round through
    the lists tests only once whether FREE spans are left.
    """
    page_heap, released = heap.page_heap[0], 0
    while released < pages and page_heap.free_pages > 0:
        inspected = 0
        while released < pages and inspected <= MAX_PAGES:
            index = page_heap.release_index
            span = _next_to_release(heap, index)
            if span:
                released += heap.span[span].pages
                _release_span(heap, span)
            page_heap.release_index = index + 1 if index < MAX_PAGES else 0
            inspected += 1
    return released


@kernel
def _next_to_release(heap: Tcmalloc, index: int) -> int:
    """Return the FREE span to release from list `index`, or 0 if the list is empty.

    It is the oldest span of index + 1 pages or, if `index` is MAX_PAGES, the shortest large span.
    """
    if index == MAX_PAGES:
        return lower_bound(heap, FREE_ROOT, 1)
    head = FREE_HEAD + index + 1
    span = heap.span[head].previous
    return 0 if span == head else span


@kernel
def _release_span(heap: Tcmalloc, span: int) -> None:
    """Release the pages of a FREE span and coalesce it with RETURNED neighbours (ReleaseSpan)."""
    remove_from_free_list(heap, span)
    decommit_span(heap, span)
    heap.span[span].state = SpanState.RETURNED
    merge_into_free_list(heap, span)


@kernel
def release_to_system(heap: Tcmalloc, length: int) -> int:
    """Release about `length` bytes, and return the bytes released (ReleaseToSystem).

    Only whole spans are released, so calls may release more than was requested. The excess counts
    towards later calls.
    """
    page_heap = heap.page_heap[0]
    if length <= page_heap.extra_bytes_released:
        page_heap.extra_bytes_released -= length
        return 0
    needed = length - page_heap.extra_bytes_released
    released = release_at_least_n_pages(heap, max(needed >> PAGE_SHIFT, 1)) << PAGE_SHIFT
    page_heap.extra_bytes_released = max(released - needed, 0)
    return released


@kernel
def _incremental_scavenge(heap: Tcmalloc) -> None:
    """Release one span and set the interval to the next release (IncrementalScavenge).

    The interval is proportional to the length of the released span, so that on average
    `release_rate` pages are released per 1,000 freed.
    """
    page_heap = heap.page_heap[0]
    page_heap.scavenge_counter = DEFAULT_RELEASE_DELAY
    if page_heap.release_rate == 0:
        return
    page_heap.scavenge_count += 1
    released = release_at_least_n_pages(heap, 1)
    if released:
        wait = 1000.0 / page_heap.release_rate * released  # floating point, as in the library
        page_heap.scavenge_counter = min(int(wait), MAX_RELEASE_DELAY)


@kernel
def _is_worth_coalescing(heap: Tcmalloc, pages: int) -> bool:
    """Return whether to release everything before growing, so that FREE and RETURNED spans merge.

    There must be spans of both states, they must hold at least a quarter of the heap, and the
    growth must pass a multiple of FORCED_COALESCE_INTERVAL. These conditions are rarely met. They
    are strict because releasing is slow and causes page faults later.
    """
    page_heap, size = heap.page_heap[0], heap.system[0].heap
    free = (page_heap.free_pages + page_heap.unmapped_pages) << PAGE_SHIFT
    grown = size + (pages << PAGE_SHIFT)
    return (
        page_heap.free_pages != 0
        and page_heap.unmapped_pages != 0
        and free >= size // 4
        and size // FORCED_COALESCE_INTERVAL != grown // FORCED_COALESCE_INTERVAL
    )


@kernel
def _grow_heap(heap: Tcmalloc, pages: int) -> bool:
    """Obtain `pages` pages from the OS and free them (GrowHeap); return False on failure.

    Only `take_pages` can fail, and it does so before anything changes. Allocating metadata fails
    only in a frozen heap (see `core.system`), but there `take_pages` fails first. `new_span` cannot
    fail: its table has a row for every page.
    """
    length = pages << PAGE_SHIFT
    address = take_pages(heap, length)
    if address == 0:
        return False
    counters, page_heap = heap.counters[0], heap.page_heap[0]
    counters.grows += 1
    page_heap.commit_count += 1
    page_heap.total_commit_pages += pages
    if counters.grows > 1:  # the first chunk of growth records is part of the startup state
        allocate_record(heap, int(counters.grows), GROWTHS_PER_CHUNK)
    ensure_leaves(heap, address, length)
    delete_run(heap, new_span(heap, address, pages, SpanState.IN_USE))
    return True
