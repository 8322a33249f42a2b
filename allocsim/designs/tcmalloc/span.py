"""Spans that come and go: their records are used again, and sit on circular lists.

Beside `spans`, whose spans are never forgotten; below the page heap that joins its runs and the
central lists. The head of each list is a record like any other, so a span goes on or off a list
without a test: LIST_HEADS of them come first, then the spans. Its one rule: a span that is on no
list and in no set is in use as a large object, or is being moved by its caller.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import book_record
from allocsim.designs.tcmalloc.pagemap import enter_bounds
from allocsim.designs.tcmalloc.records import SpanState

LONG = 128
"""Spans up to so many pages have a list for their length; longer ones are kept in sets."""

MOST_CLASSES = 128
"""Size classes that the lists are laid out for."""

FREE_HEAD = 0
"""FREE_HEAD + n is the head of the list of FREE spans of n pages, 1 to LONG."""

RETURNED_HEAD = FREE_HEAD + LONG
"""RETURNED_HEAD + n: the head of the list of RETURNED spans of n pages."""

PARTIAL_HEAD = RETURNED_HEAD + LONG
"""PARTIAL_HEAD + c: the head of the list of spans of class c, from 1, that have free objects."""

FULL_HEAD = PARTIAL_HEAD + MOST_CLASSES
"""FULL_HEAD + c: the head of the list of spans of class c that have none."""

LIST_HEADS = FULL_HEAD + MOST_CLASSES
"""The highest number of a list's head."""

SPANS_PER_CHUNK = 2730
"""Span records in a chunk of metadata: 48 bytes each in gperftools."""

RESERVED_SPANS = 2
"""Records that the library takes for itself."""


@kernel
def prepend(heap: HeapState, head: int, span: int) -> None:
    """Put `span` at the front of the list that `head` heads."""
    first = heap.span[head].next
    record = heap.span[span]
    record.next = first
    record.previous = head
    heap.span[first].previous = span
    heap.span[head].next = span


@kernel
def unlink(heap: HeapState, span: int) -> None:
    """Take `span` off its list."""
    record = heap.span[span]
    heap.span[record.previous].next = record.next
    heap.span[record.next].previous = record.previous
    record.next = 0
    record.previous = 0


@kernel
def new_span(heap: HeapState, address: int, pages: int, state: int) -> int:
    """A span over `pages` pages from `address` on, entered in the page map; 0: refused."""
    page_heap = heap.page_heap[0]
    span = page_heap.spare
    if span:
        page_heap.spare = heap.span[span].next
        heap.span[span].next = 0
    else:
        span = page_heap.numbered + 1
        if span >= len(heap.span):
            heap.system[0].refusal = Status.OUT_OF_MEMORY
            return 0
        page_heap.numbered = span
        book_record(heap, span - LIST_HEADS + RESERVED_SPANS, SPANS_PER_CHUNK)
    record = heap.span[span]
    record.address = address
    record.pages = pages
    record.size_class = 0
    record.state = state
    heap.counters[0].spans += 1
    enter_bounds(heap, span)
    return span


@kernel
def forget_span(heap: HeapState, span: int) -> None:
    """Let the record of a span that was joined to another be used again."""
    record = heap.span[span]
    record.state = SpanState.NONE
    record.next = heap.page_heap[0].spare
    heap.page_heap[0].spare = span
    heap.counters[0].spans -= 1
