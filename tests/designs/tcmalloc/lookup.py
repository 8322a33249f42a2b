"""Look up records of a tcmalloc heap, and bring spans into a wanted state."""

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.check_page_heap import listed, spans_of
from allocsim.designs.tcmalloc.page_release import delete_run, new_run, release_at_least_n_pages
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import MAX_SIZE, PAGE, size_map
from allocsim.designs.tcmalloc.span import FREE_HEAD, MAX_PAGES, RETURNED_HEAD
from tests.calling import chained

SIZES = [0, *(found.object_size for found in size_map(32))]
"""The object size of each class, from class 1 on, with default parameters."""

FREE, RETURNED = SpanState.FREE, SpanState.RETURNED

EVERYTHING = 1 << 30
"""More pages than a heap has."""

MEDIUM = 300_000
"""Bytes of a large object: 37 pages."""


def class_for(size: int) -> int:
    """Return the class of a request."""
    return next(number for number, limit in enumerate(SIZES) if number and limit >= size)


def slot(size: int) -> int:
    """Return the allocated size of a request, in bytes."""
    return SIZES[class_for(size)] if size <= MAX_SIZE else -(-size // PAGE) * PAGE


def cached(state: HeapState, thread: int, size_class: int) -> list[int]:
    """Return the objects on a list of a thread's cache, newest first."""
    return chained(int(state.free_list[thread, size_class].head))


def pages_of(state: HeapState, *spans: int) -> list[int]:
    """Return the lengths of spans."""
    return [int(state.span[span].pages) for span in spans]


def separated(state: HeapState, *lengths: int) -> list[int]:
    """Allocate spans of these lengths, then the rest of the heap; return the spans by address.

    Other pages in use separate the spans, so that they do not coalesce when they are freed.
    """
    spans = []
    for pages in lengths:
        spans.append(new_run(state, pages))
        new_run(state, 1)
    for span in [copy for copy in spans_of(state).values() if copy.state == FREE]:
        new_run(state, span.pages)
    assert state.page_heap[0].free_pages == 0
    return spans


def give_back(state: HeapState, *spans: int) -> None:
    """Free spans one after the other."""
    for span in spans:
        delete_run(state, span)


def returned(state: HeapState, *spans: int) -> None:
    """Free spans and release each to the OS at once. No other span may be FREE."""
    for span in spans:
        delete_run(state, span)
        release_at_least_n_pages(state, EVERYTHING)


def free_lengths(state: HeapState, wanted: SpanState) -> list[int]:
    """Return the lengths of the free spans in a state, by address."""
    return [span.pages for span in spans_of(state).values() if span.state == wanted]


def on_list(state: HeapState, wanted: SpanState, pages: int) -> list[int]:
    """Return the spans on the list for a state and length, from its front."""
    assert 1 <= pages <= MAX_PAGES
    return listed(state, (FREE_HEAD if wanted == FREE else RETURNED_HEAD) + pages)


def unsound(heap: Heap) -> list[str]:
    """Return the violated invariants of a heap in which a test has called `new_run`.

    `new_run` does not count large pages, so they are counted here first.
    """
    in_use = (SpanState.IN_USE, SpanState.STACK)
    heap.state.counters[0].large_pages = sum(
        span.pages
        for span in spans_of(heap.state).values()
        if span.state in in_use and not span.size_class
    )
    return heap.check()
