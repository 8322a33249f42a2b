"""Page heap: best fit over both states, newest first; the remainder is split off."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import ALLOC_INCREMENT
from allocsim.designs.tcmalloc.page_heap import NODES_PER_CHUNK, search_free_and_large_lists, split
from allocsim.designs.tcmalloc.page_release import new_run
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import MAX_PAGES
from tests.designs.tcmalloc.lookup import (
    FREE,
    RETURNED,
    free_lengths,
    give_back,
    on_list,
    pages_of,
    returned,
    separated,
    unsound,
)


def test_empty_heap_has_no_fit(tcmalloc: HeapState) -> None:
    assert [
        search_free_and_large_lists(tcmalloc, pages) for pages in (1, MAX_PAGES, MAX_PAGES + 1)
    ] == [0, 0, 0]


def test_first_pages_are_taken_and_the_remainder_is_free(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    span = new_run(tcmalloc, 100)
    assert tcmalloc.span[span].address == tcmalloc_heap.memory.address
    (rest,) = on_list(tcmalloc, FREE, 28)
    assert tcmalloc.span[rest].address == tcmalloc_heap.memory.address + 100 * PAGE
    assert (tcmalloc.counters[0].splits, tcmalloc.page_heap[0].free_pages) == (1, 28)
    assert unsound(tcmalloc_heap) == []


@pytest.mark.parametrize(
    ("wanted", "fit"), [(1, 3), (3, 3), (4, 7), (8, 128), (128, 128), (129, 150), (151, 400)]
)
def test_shortest_span_that_is_long_enough_is_used(
    tcmalloc: HeapState, wanted: int, fit: int
) -> None:
    lengths = (7, 400, 3, 150, 128)
    spans = dict(zip(lengths, separated(tcmalloc, *lengths), strict=True))
    give_back(tcmalloc, *spans.values())
    assert search_free_and_large_lists(tcmalloc, wanted) == spans[fit]
    assert pages_of(tcmalloc, spans[fit]) == [wanted]
    assert search_free_and_large_lists(tcmalloc, 401) == 0


@pytest.mark.parametrize("pages", [5, MAX_PAGES, 300])
def test_exact_fit_is_not_split(tcmalloc: HeapState, pages: int) -> None:
    (span,) = separated(tcmalloc, pages)
    give_back(tcmalloc, span)
    splits = int(tcmalloc.counters[0].splits)
    assert search_free_and_large_lists(tcmalloc, pages) == span
    assert (tcmalloc.counters[0].splits, tcmalloc.page_heap[0].free_pages) == (splits, 0)


@pytest.mark.parametrize("state", [FREE, RETURNED])
def test_equal_spans_on_a_list_are_used_newest_first(tcmalloc: HeapState, state: SpanState) -> None:
    one, two, three = separated(tcmalloc, 6, 6, 6)
    (give_back if state == FREE else returned)(tcmalloc, two, three, one)
    assert on_list(tcmalloc, state, 6) == [one, three, two]
    assert [search_free_and_large_lists(tcmalloc, 6) for _ in range(3)] == [one, three, two]


@pytest.mark.parametrize("freed", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_equal_large_spans_are_used_by_address(tcmalloc: HeapState, freed: tuple[int, ...]) -> None:
    spans = separated(tcmalloc, 200, 200, 200)
    give_back(tcmalloc, *[spans[number] for number in freed])
    assert [search_free_and_large_lists(tcmalloc, 200) for _ in range(3)] == spans


@pytest.mark.parametrize(
    ("free", "given", "wanted", "used"),
    [
        (9, 9, 9, FREE),
        (10, 9, 9, RETURNED),
        (9, 10, 9, FREE),
        (MAX_PAGES, MAX_PAGES, 5, FREE),
        (MAX_PAGES + 1, MAX_PAGES, MAX_PAGES, RETURNED),
        (200, 190, 150, RETURNED),
        (190, 200, 150, FREE),
        (MAX_PAGES + 1, 5, 6, FREE),
        (5, MAX_PAGES + 1, 6, RETURNED),
    ],
)
def test_shorter_span_is_used_in_either_state_and_free_before_returned(
    tcmalloc: HeapState, free: int, given: int, wanted: int, used: SpanState
) -> None:
    spans = dict(zip((FREE, RETURNED), separated(tcmalloc, free, given), strict=True))
    returned(tcmalloc, spans[RETURNED])
    give_back(tcmalloc, spans[FREE])
    assert search_free_and_large_lists(tcmalloc, wanted) == spans[used]


@pytest.mark.parametrize("lower", [FREE, RETURNED])
def test_of_equal_large_spans_in_both_states_the_lower_is_used(
    tcmalloc: HeapState, lower: SpanState
) -> None:
    one, other = separated(tcmalloc, 200, 200)
    returned(tcmalloc, one if lower == RETURNED else other)
    give_back(tcmalloc, other if lower == RETURNED else one)
    assert [
        search_free_and_large_lists(tcmalloc, 150),
        search_free_and_large_lists(tcmalloc, 200),
    ] == [one, other]


@pytest.mark.parametrize("pages", [20, 300])
def test_remainder_of_a_returned_span_stays_returned(
    tcmalloc_heap: Heap, tcmalloc: HeapState, pages: int
) -> None:
    (span,) = separated(tcmalloc, pages)
    returned(tcmalloc, span)
    page_heap, system = tcmalloc.page_heap[0], tcmalloc.system[0]
    footprint, commit_count = int(system.footprint), int(page_heap.commit_count)
    committed = int(page_heap.total_commit_pages)
    assert search_free_and_large_lists(tcmalloc, 7) == span
    assert free_lengths(tcmalloc, RETURNED) == [pages - 7]
    assert (page_heap.free_pages, page_heap.unmapped_pages) == (0, pages - 7)
    assert system.footprint == footprint + 7 * PAGE
    assert (page_heap.commit_count, page_heap.total_commit_pages) == (
        commit_count + 1,
        committed + 7,
    )
    assert unsound(tcmalloc_heap) == []


def test_split_leaves_two_spans_in_use(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    (span,) = separated(tcmalloc, 30)
    rest = split(tcmalloc, span, 12)
    assert pages_of(tcmalloc, span, rest) == [12, 18]
    assert tcmalloc.span[rest].address == tcmalloc.span[span].address + 12 * PAGE
    assert tcmalloc.span[rest].state == SpanState.IN_USE
    assert unsound(tcmalloc_heap) == []


@pytest.mark.parametrize("pages", [10, 300])
def test_split_without_a_span_record_fails_and_changes_nothing(
    small_tcmalloc_heap: Heap, pages: int
) -> None:
    state = small_tcmalloc_heap.state
    (span,) = separated(state, pages)
    give_back(state, span)
    state.page_heap[0].last_span = len(state.span) - 1
    assert state.page_heap[0].unused_span == 0
    assert search_free_and_large_lists(state, 7) == 0
    assert state.system[0].refusal == Status.OUT_OF_MEMORY
    assert free_lengths(state, FREE) == [pages]
    assert search_free_and_large_lists(state, pages) == span
    assert split(state, span, 3) == 0
    assert pages_of(state, span) == [pages]
    assert unsound(small_tcmalloc_heap) == []


def test_large_free_span_may_cost_a_chunk_of_nodes(tcmalloc: HeapState) -> None:
    spans = separated(tcmalloc, 200, 200, 200)
    before = int(tcmalloc.system[0].footprint)
    give_back(tcmalloc, *spans[:2])
    for _ in range(2):
        give_back(tcmalloc, search_free_and_large_lists(tcmalloc, 200))
    nodes = int(tcmalloc.page_heap[0].max_large_spans)
    assert (nodes, tcmalloc.page_heap[0].large_spans) == (2, 2)
    assert tcmalloc.system[0].footprint == before
    tcmalloc.page_heap[0].max_large_spans = NODES_PER_CHUNK
    tcmalloc.page_heap[0].large_spans = NODES_PER_CHUNK
    give_back(tcmalloc, spans[2])
    assert tcmalloc.system[0].footprint == before + ALLOC_INCREMENT
