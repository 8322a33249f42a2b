"""Span records and the circular lists they are linked on (src/span.cc).

A list's head is a record like any other, so linking and unlinking a span need no test for the end
of the list. Numbers 1 to LIST_HEADS are heads; spans have the numbers above. Records of deleted
spans are reused, newest first.

Invariant: a span that is on no list and in no set is a large object or a stack segment, unless a
caller is moving it at that moment.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.designs.tcmalloc.metadata import allocate_record, chunks_for
from allocsim.designs.tcmalloc.pagemap import record_span
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc

MAX_PAGES = 128
"""Maximum length in pages for which there is a list of free spans (kMaxPages). Longer spans are
called large."""

MAX_CLASSES = 128
"""Number of size classes for which there are lists of spans (kClassSizesMax)."""

FREE_HEAD = 0
"""FREE_HEAD + n is the head of the list of FREE spans of n pages, 1 to MAX_PAGES."""

RETURNED_HEAD = FREE_HEAD + MAX_PAGES
"""RETURNED_HEAD + n is the head of the list of RETURNED spans of n pages."""

NONEMPTY_HEAD = RETURNED_HEAD + MAX_PAGES
"""NONEMPTY_HEAD + c, c >= 1, is the head of the list of spans of class c with free objects."""

EMPTY_HEAD = NONEMPTY_HEAD + MAX_CLASSES
"""EMPTY_HEAD + c is the head of the list of spans of class c without free objects."""

LIST_HEADS = EMPTY_HEAD + MAX_CLASSES
"""Number of list heads, which is also the highest span number of a head."""

SPANS_PER_CHUNK = 2730
"""Number of span records in a chunk of metadata. A record has 48 bytes in the library."""

RESERVED_SPANS = 2
"""Number of span records that the library reserves for internal use."""


@kernel
def dll_prepend(heap: Tcmalloc, head: int, span: int) -> None:
    """Link `span` at the front of a list (DLL_Prepend)."""
    first = heap.span[head].next
    record = heap.span[span]
    record.next = first
    record.previous = head
    heap.span[first].previous = span
    heap.span[head].next = span


@kernel
def dll_remove(heap: Tcmalloc, span: int) -> None:
    """Unlink `span` from its list (DLL_Remove)."""
    record = heap.span[span]
    heap.span[record.previous].next = record.next
    heap.span[record.next].previous = record.previous
    record.next = 0
    record.previous = 0


@kernel
def new_span(heap: Tcmalloc, address: int, pages: int, state: int) -> int:
    """Create a span of `pages` pages from `address` on and record it in the page map (NewSpan).

    Returns 0, with nothing changed, if there is no record for the span (see `refusal`).
    """
    page_heap = heap.page_heap[0]
    span = page_heap.unused_span
    if span:
        page_heap.unused_span = heap.span[span].next
        heap.span[span].next = 0
    else:
        if not can_make_spans(heap, 1):
            return 0
        span = page_heap.last_span + 1
        page_heap.last_span = span
        allocate_record(heap, _records(span), SPANS_PER_CHUNK)  # cannot fail after can_make_spans
    record = heap.span[span]
    record.address = address
    record.pages = pages
    record.size_class = 0  # a reused record still has its old class
    record.state = state
    heap.counters[0].spans += 1
    record_span(heap, span)
    return span


@kernel
def can_make_spans(heap: Tcmalloc, count: int) -> bool:
    """Return whether `count` more spans can be created; if not, `refusal` says why.

    Unused records are taken first. Each new record needs a row of `heap.span`, which does not grow.
    A frozen heap gets no more metadata, so its new records must also fit into the last chunk of
    metadata.
    """
    page_heap, system = heap.page_heap[0], heap.system[0]
    unused = page_heap.unused_span
    while unused and count:
        unused = heap.span[unused].next
        count -= 1
    last = page_heap.last_span + count
    if last >= len(heap.span):
        system.refusal = Status.OUT_OF_MEMORY
        return False
    obtained = chunks_for(_records(page_heap.last_span), SPANS_PER_CHUNK)
    if system.frozen and chunks_for(_records(last), SPANS_PER_CHUNK) > obtained:
        system.refusal = Status.FROZEN
        return False
    return True


@kernel
def _records(span: int) -> int:
    """Return how many span records the library would have if `span` is the highest number used."""
    return span - LIST_HEADS + RESERVED_SPANS


@kernel
def delete_span(heap: Tcmalloc, span: int) -> None:
    """Make the record of a merged span available for reuse (DeleteSpan)."""
    record, page_heap = heap.span[span], heap.page_heap[0]
    record.state = SpanState.NONE
    record.next = page_heap.unused_span
    page_heap.unused_span = span
    heap.counters[0].spans -= 1
