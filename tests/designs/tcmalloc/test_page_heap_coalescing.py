"""Page heap: a freed span coalesces with its free neighbours in the same state."""

import pytest

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.page_heap import search_free_and_large_lists, split
from allocsim.designs.tcmalloc.size_classes import PAGE
from tests.designs.tcmalloc.lookup import (
    FREE,
    RETURNED,
    free_lengths,
    give_back,
    returned,
    separated,
    unsound,
)


def test_span_in_use_does_not_coalesce(tcmalloc: HeapState) -> None:
    spans = separated(tcmalloc, 3, 4)
    give_back(tcmalloc, *spans)
    assert free_lengths(tcmalloc, FREE) == [3, 4]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2)])
@pytest.mark.parametrize("pages", [5, 100])
def test_free_neighbours_become_one_span(
    tcmalloc_heap: Heap, tcmalloc: HeapState, order: tuple[int, ...], pages: int
) -> None:
    (whole,) = separated(tcmalloc, 3 * pages)
    parts = [whole, split(tcmalloc, whole, pages)]
    parts.append(split(tcmalloc, parts[1], pages))
    before = int(tcmalloc.counters[0].coalesces)
    give_back(tcmalloc, *[parts[number] for number in order])
    assert free_lengths(tcmalloc, FREE) == [3 * pages]
    assert tcmalloc.counters[0].coalesces - before == 2
    assert unsound(tcmalloc_heap) == []


def test_neighbours_in_different_states_stay_apart(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    (one,) = separated(tcmalloc, 30)
    two = split(tcmalloc, one, 10)
    three = split(tcmalloc, two, 10)
    returned(tcmalloc, two)
    give_back(tcmalloc, one, three)
    assert (free_lengths(tcmalloc, FREE), free_lengths(tcmalloc, RETURNED)) == ([10, 10], [10])
    assert unsound(tcmalloc_heap) == []


def test_returned_neighbours_become_one_span(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    (one,) = separated(tcmalloc, 30)
    two = split(tcmalloc, one, 10)
    three = split(tcmalloc, two, 10)
    for span in (one, three, two):
        returned(tcmalloc, span)
    assert (free_lengths(tcmalloc, FREE), free_lengths(tcmalloc, RETURNED)) == ([], [30])
    assert unsound(tcmalloc_heap) == []


def test_aggressive_decommit_releases_freed_pages_and_merges_with_returned_ones(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    (one,) = separated(tcmalloc, 60)
    two = split(tcmalloc, one, 10)
    three = split(tcmalloc, two, 20)
    give_back(tcmalloc, one)
    returned(tcmalloc, three)
    give_back(tcmalloc, two)
    assert (free_lengths(tcmalloc, FREE), free_lengths(tcmalloc, RETURNED)) == ([20], [10, 30])
    tcmalloc.page_heap[0].aggressive_decommit = 1
    again = search_free_and_large_lists(tcmalloc, 20)
    footprint = int(tcmalloc.system[0].footprint)
    give_back(tcmalloc, again)
    assert (free_lengths(tcmalloc, FREE), free_lengths(tcmalloc, RETURNED)) == ([], [60])
    assert tcmalloc.system[0].footprint == footprint - 20 * PAGE
    assert unsound(tcmalloc_heap) == []


def test_aggressive_decommit_releases_a_free_neighbour_too(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    (one,) = separated(tcmalloc, 30)
    two = split(tcmalloc, one, 10)
    give_back(tcmalloc, two)
    footprint, decommit_count = (
        int(tcmalloc.system[0].footprint),
        int(tcmalloc.page_heap[0].decommit_count),
    )
    tcmalloc.page_heap[0].aggressive_decommit = 1
    give_back(tcmalloc, one)
    assert (free_lengths(tcmalloc, FREE), free_lengths(tcmalloc, RETURNED)) == ([], [30])
    assert tcmalloc.system[0].footprint == footprint - 30 * PAGE
    assert tcmalloc.page_heap[0].decommit_count == decommit_count + 2
    assert unsound(tcmalloc_heap) == []
