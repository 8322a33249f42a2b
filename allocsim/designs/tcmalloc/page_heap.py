"""Page heap: keeps the free spans, allocates the best fit and coalesces (src/page_heap.cc).

Free spans are FREE or RETURNED (released to the OS). Spans of up to MAX_PAGES pages are on lists by
exact length, newest first. Each state has a set for longer spans. `page_release` decides when the
heap releases spans, and which.

Invariant: no two neighbouring free spans are in the same state. Splitting a free span preserves the
invariant without a merge: the remainder keeps the state of the whole span, which differs from that
of the next span.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.tcmalloc.metadata import allocate_record
from allocsim.designs.tcmalloc.pagemap import get_descriptor, record_span
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT
from allocsim.designs.tcmalloc.span import (
    FREE_HEAD,
    MAX_PAGES,
    RETURNED_HEAD,
    delete_span,
    dll_prepend,
    dll_remove,
    new_span,
)
from allocsim.designs.tcmalloc.span_set import (
    FREE_ROOT,
    RETURNED_ROOT,
    erase_span,
    insert_span,
    lower_bound,
    root_of,
)
from allocsim.designs.tcmalloc.system_alloc import commit_span, decommit_span

NODES_PER_CHUNK = 2730
"""Number of nodes in a chunk of metadata. gperftools has one node for each large free span; see
`prepend_to_free_list`."""


@kernel
def search_free_and_large_lists(heap: Tcmalloc, pages: int) -> int:
    """Carve a span of exactly `pages` pages from the best fit; return it, or 0 on failure.

    A RETURNED span is preferred to a longer FREE span, although the pages of the RETURNED one must
    be committed (SearchFreeAndLargeLists).
    """
    for length in range(pages, MAX_PAGES + 1):
        for head in (FREE_HEAD + length, RETURNED_HEAD + length):
            span = heap.span[head].next
            if span != head:
                return _carve(heap, span, pages)
    span = _alloc_large(heap, pages)
    return _carve(heap, span, pages) if span else 0


@kernel
def _alloc_large(heap: Tcmalloc, pages: int) -> int:
    """Return the best fit among large free spans, or 0 if none is long enough (AllocLarge).

    Among spans of the same length, the one with the lowest address is taken.
    """
    free = lower_bound(heap, FREE_ROOT, pages)
    returned = lower_bound(heap, RETURNED_ROOT, pages)
    if free == 0 or returned == 0:
        return free or returned
    one, other = heap.span[free], heap.span[returned]
    if other.pages < one.pages or (other.pages == one.pages and other.address < one.address):
        return returned
    return free


@kernel
def _carve(heap: Tcmalloc, span: int, pages: int) -> int:
    """Take the first `pages` pages of a free span; the remainder keeps the state (Carve).

    Returns `span`; or 0, with nothing changed, if no record is available for the remainder.
    """
    record = heap.span[span]
    state, rest = int(record.state), 0
    if record.pages > pages:
        rest = new_span(heap, record.address + (pages << PAGE_SHIFT), record.pages - pages, state)
        if rest == 0:
            return 0
    remove_from_free_list(heap, span)  # needs the old state and length, which select the list
    record.state = SpanState.IN_USE
    if rest:
        prepend_to_free_list(heap, rest)
        _shorten(heap, span, pages)
    if state == SpanState.RETURNED:
        commit_span(heap, span)  # after the split, so that the remainder stays released
    return span


@kernel
def split(heap: Tcmalloc, span: int, pages: int) -> int:
    """Split a span in use after its first `pages` pages (PageHeap::Split).

    Returns the span of the rest; or 0, with nothing changed, if no record is available for it.
    """
    record = heap.span[span]
    rest = new_span(
        heap, record.address + (pages << PAGE_SHIFT), record.pages - pages, SpanState.IN_USE
    )
    if rest:
        _shorten(heap, span, pages)
    return rest


@kernel
def _shorten(heap: Tcmalloc, span: int, pages: int) -> None:
    """Shorten `span` to its first `pages` pages; another span already has the rest."""
    heap.span[span].pages = pages
    record_span(heap, span)
    heap.counters[0].splits += 1


@kernel
def merge_into_free_list(heap: Tcmalloc, span: int) -> None:
    """Coalesce an unlisted free span with its neighbours, then list it (MergeIntoFreeList)."""
    record = heap.span[span]
    if heap.page_heap[0].aggressive_decommit and record.state == SpanState.FREE:
        decommit_span(heap, span)
        record.state = SpanState.RETURNED
    # The page map covers both addresses, because `ensure_leaves` adds a page on each side.
    before = get_descriptor(heap, record.address - 1)
    after = get_descriptor(heap, record.address + (record.pages << PAGE_SHIFT))
    if _check_and_handle_pre_merge(heap, record.state, before):
        record.address = heap.span[before].address
        record.pages += heap.span[before].pages
        delete_span(heap, before)
    if _check_and_handle_pre_merge(heap, record.state, after):
        record.pages += heap.span[after].pages
        delete_span(heap, after)
    record_span(heap, span)
    prepend_to_free_list(heap, span)


@kernel
def _check_and_handle_pre_merge(heap: Tcmalloc, state: int, neighbour: int) -> bool:
    """Return whether `neighbour` can merge with a span in `state`; if it can, unlist it.

    With aggressive decommit a FREE neighbour is released first, so that the two are in the same
    state (CheckAndHandlePreMerge).
    """
    other = heap.span[neighbour]
    if (
        heap.page_heap[0].aggressive_decommit
        and other.state == SpanState.FREE
        and state == SpanState.RETURNED
    ):
        decommit_span(heap, neighbour)
    elif other.state != state:
        return False
    remove_from_free_list(heap, neighbour)
    heap.counters[0].coalesces += 1
    return True


@kernel
def prepend_to_free_list(heap: Tcmalloc, span: int) -> None:
    """Put a free span on the list for its length, or into the set (PrependToFreeList)."""
    record, page_heap = heap.span[span], heap.page_heap[0]
    head = FREE_HEAD
    if record.state == SpanState.FREE:
        page_heap.free_pages += record.pages
    else:
        page_heap.unmapped_pages += record.pages
        head = RETURNED_HEAD
    heap.counters[0].free_spans += 1
    if record.pages <= MAX_PAGES:
        dll_prepend(heap, head + record.pages, span)
        return
    insert_span(heap, root_of(int(record.state)), span)
    page_heap.large_spans += 1
    # The library allocates a node for each span in a set. Here a set has no nodes, but the memory
    # of the library's nodes is counted as metadata. In a frozen heap, a node is not counted:
    # metadata cannot be obtained there, and freeing must not fail.
    if page_heap.large_spans > page_heap.max_large_spans and not heap.system[0].frozen:
        page_heap.max_large_spans = page_heap.large_spans
        allocate_record(heap, page_heap.large_spans, NODES_PER_CHUNK)


@kernel
def remove_from_free_list(heap: Tcmalloc, span: int) -> None:
    """Take a free span off its list, or out of its set (RemoveFromFreeList)."""
    record, page_heap = heap.span[span], heap.page_heap[0]
    if record.state == SpanState.FREE:
        page_heap.free_pages -= record.pages
    else:
        page_heap.unmapped_pages -= record.pages
    heap.counters[0].free_spans -= 1
    if record.pages <= MAX_PAGES:
        dll_remove(heap, span)
    else:
        erase_span(heap, root_of(int(record.state)), span)
        page_heap.large_spans -= 1
