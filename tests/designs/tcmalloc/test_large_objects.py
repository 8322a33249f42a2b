"""Large objects and stack segments: a span for each."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.large_objects import (
    allocate_pages,
    allocate_stack_pages,
    free_pages,
    free_stack_pages,
    memalign_pages,
    page_status,
)
from allocsim.designs.tcmalloc.pagemap import get_descriptor
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE
from tests.designs.tcmalloc.lookup import free_lengths

LARGE = 300_000
"""Bytes of a large object: 37 pages."""


@pytest.mark.parametrize(("request_", "pages"), [(262145, 33), (33 * PAGE, 33), (LARGE, 37)])
def test_large_object_has_pages_of_its_own(tcmalloc: HeapState, request_: int, pages: int) -> None:
    address = allocate_pages(tcmalloc, 0, request_)
    record = tcmalloc.span[get_descriptor(tcmalloc, address)]
    assert (record.address, record.pages, record.size_class) == (address, pages, 0)
    assert (record.state, tcmalloc.counters[0].large_pages) == (SpanState.IN_USE, pages)


def test_thread_that_allocates_a_large_object_gets_its_cache(tcmalloc: HeapState) -> None:
    allocate_pages(tcmalloc, 3, LARGE)
    assert tcmalloc.cache[3].alive == 1


@pytest.mark.parametrize(("request_", "pages"), [(0, 1), (1, 1), (PAGE, 1), (PAGE + 1, 2)])
def test_stack_segment_is_whole_pages(tcmalloc: HeapState, request_: int, pages: int) -> None:
    address = allocate_stack_pages(tcmalloc, request_)
    record = tcmalloc.span[get_descriptor(tcmalloc, address)]
    assert (record.pages, record.state) == (pages, SpanState.STACK)
    assert tcmalloc.counters[0].large_pages == pages
    assert tcmalloc.cache[0].alive == 0


def test_freed_pages_are_a_free_span(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    address = allocate_pages(tcmalloc, 0, LARGE)
    stack = allocate_stack_pages(tcmalloc, 3 * PAGE)
    assert free_pages(tcmalloc, address) == Status.OK
    assert free_stack_pages(tcmalloc, stack) == Status.OK
    assert tcmalloc.counters[0].large_pages == 0
    assert free_lengths(tcmalloc, SpanState.FREE) == [128]
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize("exponent", range(14, 24))
@pytest.mark.parametrize("request_", [0, 1, PAGE, PAGE + 1, LARGE])
def test_aligned_object_is_aligned_and_no_longer_than_needed(
    tcmalloc_heap: Heap, tcmalloc: HeapState, request_: int, exponent: int
) -> None:
    allocate_stack_pages(tcmalloc, 1)  # so that the next pages are not aligned
    address = memalign_pages(tcmalloc, request_, 1 << exponent)
    assert address % (1 << exponent) == 0
    pages = max(-(-request_ // PAGE), 1)
    assert tcmalloc.span[get_descriptor(tcmalloc, address)].pages == pages
    assert tcmalloc.counters[0].large_pages == 1 + pages
    assert tcmalloc_heap.check() == []
    assert free_pages(tcmalloc, address) == Status.OK
    assert tcmalloc_heap.check() == []


def test_aligned_pages_are_not_split_in_front(tcmalloc: HeapState) -> None:
    if allocate_stack_pages(tcmalloc, PAGE) % (2 * PAGE) == 0:
        allocate_stack_pages(tcmalloc, PAGE)
    splits = int(tcmalloc.counters[0].splits)
    assert memalign_pages(tcmalloc, PAGE, 2 * PAGE) % (2 * PAGE) == 0
    # The best fit is split, and then the pages after the object are split off.
    assert tcmalloc.counters[0].splits == splits + 2


Place = Callable[[HeapState], int]
WRONG: dict[str, tuple[Place, Status]] = {
    "null": (lambda _: 0, Status.UNKNOWN_POINTER),
    "negative": (lambda _: -8, Status.UNKNOWN_POINTER),
    "beyond the page map": (lambda _: 1 << 48, Status.UNKNOWN_POINTER),
    "below the heap": (lambda state: int(state.system[0].next) - (2 << 20), Status.UNKNOWN_POINTER),
    "free pages": (lambda state: int(state.system[0].next) - PAGE, Status.UNKNOWN_POINTER),
    "after the heap": (lambda state: int(state.system[0].next), Status.UNKNOWN_POINTER),
    "in its first page": (lambda state: allocate_pages(state, 0, LARGE) + 8, Status.NOT_SPAN_START),
    "in its last page": (
        lambda state: allocate_pages(state, 0, LARGE) + 36 * PAGE,
        Status.NOT_SPAN_START,
    ),
    "its inner pages": (
        lambda state: allocate_pages(state, 0, LARGE) + PAGE,
        Status.UNKNOWN_POINTER,
    ),
}
wrong = pytest.mark.parametrize(("place", "status"), WRONG.values(), ids=WRONG)


@wrong
def test_free_of_another_address_fails_and_changes_nothing(
    tcmalloc_heap: Heap, tcmalloc: HeapState, place: Place, status: Status
) -> None:
    allocate_pages(tcmalloc, 0, LARGE)
    address = place(tcmalloc)
    before = tcmalloc.page_heap.tobytes()
    assert (
        free_pages(tcmalloc, address) == page_status(tcmalloc, address, SpanState.IN_USE) == status
    )
    assert tcmalloc.page_heap.tobytes() == before
    assert tcmalloc_heap.check() == []


def test_object_and_stack_segment_are_not_freed_as_each_other(tcmalloc: HeapState) -> None:
    address, stack = allocate_pages(tcmalloc, 0, LARGE), allocate_stack_pages(tcmalloc, 100)
    assert free_pages(tcmalloc, stack) == Status.UNKNOWN_POINTER
    assert free_stack_pages(tcmalloc, address) == Status.UNKNOWN_POINTER


def test_stale_entry_of_the_page_map_is_detected(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    one, two = (allocate_pages(tcmalloc, 0, LARGE) for _ in range(2))
    for address in (two, one):
        free_pages(tcmalloc, address)
    address = allocate_pages(tcmalloc, 0, 2 * LARGE)
    assert address == one
    assert free_pages(tcmalloc, two) in (Status.UNKNOWN_POINTER, Status.NOT_SPAN_START)
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize("request_", [1 << 40, 1 << 62, (1 << 63) - 1])
def test_request_beyond_the_reservation_fails(
    tcmalloc_heap: Heap, tcmalloc: HeapState, request_: int
) -> None:
    for address in (
        allocate_pages(tcmalloc, 0, request_),
        allocate_stack_pages(tcmalloc, request_),
        memalign_pages(tcmalloc, request_, 2 * PAGE),
        memalign_pages(tcmalloc, 1, 1 << 62),
    ):
        assert address == 0
        assert tcmalloc.system[0].refusal == Status.OUT_OF_MEMORY
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize("records", [1, 2])
def test_aligned_object_fails_when_span_records_run_out(
    small_tcmalloc_heap: Heap, records: int
) -> None:
    state = small_tcmalloc_heap.state
    allocate_stack_pages(state, PAGE)
    state.page_heap[0].last_span = len(state.span) - 1 - records
    assert memalign_pages(state, PAGE, 16 * PAGE) == 0
    assert state.system[0].refusal == Status.OUT_OF_MEMORY
    assert small_tcmalloc_heap.check() == []
