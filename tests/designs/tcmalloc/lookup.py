"""What tests look up in the records of a tcmalloc heap, and how they prepare one."""

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.check_page_heap import listed, spans_of
from allocsim.designs.tcmalloc.page_release import delete_run, new_run, release_at_least_n_pages
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import MAX_SIZE, PAGE, size_map
from allocsim.designs.tcmalloc.span import FREE_HEAD, MAX_PAGES, RETURNED_HEAD
from tests.calling import chained

SIZES = [0, *(found.object_size for found in size_map(32))]
"""The object size of each class, from class 1 on, as the library has them by default."""

FREE, RETURNED = SpanState.FREE, SpanState.RETURNED

EVERYTHING = 1 << 30
"""Pages, more than there are."""

MEDIUM = 300_000
"""Bytes of a large object: 37 pages."""


def class_for(size: int) -> int:
    """The number of the class for a request."""
    return next(number for number, held in enumerate(SIZES) if number and held >= size)


def slot(size: int) -> int:
    """Bytes that the object for a request really has."""
    return SIZES[class_for(size)] if size <= MAX_SIZE else -(-size // PAGE) * PAGE


def cached(state: HeapState, thread: int, size_class: int) -> list[int]:
    """The objects on a list of a thread's cache, the next one first."""
    return chained(int(state.free_list[thread, size_class].head))


def pages_of(state: HeapState, *spans: int) -> list[int]:
    """The lengths of spans."""
    return [int(state.span[span].pages) for span in spans]


def separated(state: HeapState, *lengths: int) -> list[int]:
    """Runs in use of these lengths in ascending addresses, with used pages between, no page free.

    Given back, none of them has a neighbour to join.
    """
    runs = []
    for pages in lengths:
        runs.append(new_run(state, pages))
        new_run(state, 1)
    for span in [span for span in spans_of(state).values() if span.state == FREE]:
        new_run(state, span.pages)
    assert state.page_heap[0].free_pages == 0
    return runs


def give_back(state: HeapState, *spans: int) -> None:
    """Free runs, one after the other."""
    for span in spans:
        delete_run(state, span)


def returned(state: HeapState, *spans: int) -> None:
    """Free runs one after the other, each given back to the OS at once; nothing else is FREE."""
    for span in spans:
        delete_run(state, span)
        release_at_least_n_pages(state, EVERYTHING)


def free_lengths(state: HeapState, wanted: SpanState) -> list[int]:
    """The lengths of the free runs in a state, in the order of their addresses."""
    return [span.pages for span in spans_of(state).values() if span.state == wanted]


def on_list(state: HeapState, wanted: SpanState, pages: int) -> list[int]:
    """The spans on the list for a state and a length of at most LONG pages, from its front."""
    assert 1 <= pages <= MAX_PAGES
    return listed(state, (FREE_HEAD if wanted == FREE else RETURNED_HEAD) + pages)


def unsound(heap: Heap) -> list[str]:
    """The violated invariants of a heap whose runs were taken by no object but by the test."""
    in_use = (SpanState.IN_USE, SpanState.STACK)
    heap.state.counters[0].large_pages = sum(
        span.pages
        for span in spans_of(heap.state).values()
        if span.state in in_use and not span.size_class
    )
    return heap.check()
