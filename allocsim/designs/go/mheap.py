"""Spans: runs of pages from the page cache or the page allocator (runtime/mheap.go, mpagecache.go).

The page cache holds the free pages of one aligned block of 64. Requests of fewer than 16 pages are
served from the cache if they fit. The cache is refilled only when it is empty, and freed pages
never return to it.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.system import reuse_pages
from allocsim.designs.go import mpagealloc
from allocsim.designs.go.metadata import allocate_span_record, can_make_span, free_span_record
from allocsim.designs.go.mgcscavenge import scavenge_assist
from allocsim.designs.go.mpallocbits import SCAVENGED, row_of, word_of
from allocsim.designs.go.pallocsum import page_update
from allocsim.designs.go.records import Go
from allocsim.designs.go.scavenge_index import index_alloc
from allocsim.designs.go.size_classes import PAGE_SHIFT
from allocsim.designs.go.spans import clear_spans, page_of
from allocsim.designs.go.sys import WORD_BITS, ones, ones_count64, starts_of_runs, trailing_zeros64

CACHED_PAGES = 16
"""Requests of fewer pages may be served from the page cache (pageCachePages / 4)."""


@out_of_line
def alloc_pages(heap: Go, npages: int) -> int:
    """Allocate a run of pages; return its first page, or -1 on failure (mheap.allocSpan).

    The caller adds the pages to `pages_in_use` or `manual_pages`. If the allocation exceeds the
    memory limit, or if the heap grows beyond the scavenger's goal for retained memory, other pages
    are released.
    """
    first, growth = -1, 0
    if npages < CACHED_PAGES:
        if heap.mheap[0].page_cache == 0:
            alloc_to_cache(heap)
        first = cache_alloc(heap, npages)
    while first < 0:
        first = mpagealloc.page_alloc(heap, npages)
        if first < 0:
            growth = mpagealloc.page_grow(heap, npages)
            if growth == 0:
                return -1
    released = heap.mheap[0].scav << PAGE_SHIFT
    scavenge_assist(heap, growth, released)
    reuse_pages(heap, released)
    return first


@kernel
def cache_alloc(heap: Go, npages: int) -> int:
    """Take the lowest run of free pages in the page cache (pageCache.alloc).

    Returns its first page, or -1 if no run is long enough.
    """
    cache = heap.mheap[0]
    starts = starts_of_runs(cache.page_cache, npages)
    if starts == 0:
        return -1
    bit = trailing_zeros64(starts)
    pages = ones(bit, npages)
    cache.scav = ones_count64(cache.page_cache_scav & pages)
    cache.page_cache &= ~pages
    cache.page_cache_scav &= ~pages
    return cache.page_cache_base + bit


@kernel
def alloc_to_cache(heap: Go) -> None:
    """Fill the page cache from the block that has the lowest free page (pageAlloc.allocToCache).

    The cache gets all free pages of the block, and the bitmap marks them as in use.
    `page_cache_scav` says which of them are released. If the heap has no free page, the cache stays
    empty.
    """
    cache = heap.mheap[0]
    page = mpagealloc.find(heap, 1)
    if page < 0:
        return
    base = page & -WORD_BITS
    row = row_of(base)
    cache.page_cache_base = base
    cache.page_cache = ~word_of(heap, row)
    cache.page_cache_scav = word_of(heap, row + SCAVENGED) & cache.page_cache
    index_alloc(heap, base, ones_count64(cache.page_cache))
    heap.palloc_bits[row] = -1
    heap.palloc_bits[row + SCAVENGED] &= ~cache.page_cache_scav
    page_update(heap, base, WORD_BITS)
    cache.search_addr = base + WORD_BITS - 1


@kernel
def alloc_span(heap: Go, npages: int, size_class: int) -> int:
    """Allocate a span and its record; return the number of the span, or 0 (mheap.alloc)."""
    if not can_make_span(heap):
        return 0
    first = alloc_pages(heap, npages)
    if first < 0:
        return 0
    mheap, counters = heap.mheap[0], heap.counters[0]
    mheap.pages_in_use += npages
    counters.spans += 1
    span = allocate_span_record(heap)
    record = heap.mspan[span]
    record.start_addr = mheap.start + (first << PAGE_SHIFT)
    record.npages = npages
    record.offset = 0
    use = heap.span_use[span]
    use.size_class = size_class
    use.alloc_count = use.next = use.prev = 0
    return span


@out_of_line
def free_span_pages(heap: Go, span: int) -> int:
    """Free the pages of a span (mheap.freeSpanLocked). Returns a Status."""
    record, mheap = heap.mspan[span], heap.mheap[0]
    mheap.pages_in_use -= record.npages
    heap.counters[0].spans -= 1
    clear_spans(heap, span)
    mpagealloc.page_free(heap, page_of(heap, record.start_addr), record.npages)
    record.start_addr = 0
    return Status.OK


@kernel
def free_span(heap: Go, span: int) -> None:
    """Free the pages and the record of a span that is in no set."""
    free_span_pages(heap, span)
    free_span_record(heap, span)
