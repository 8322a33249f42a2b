"""Page release on request, or when a counter of freed pages drops below 0.

Each released span comes from the next free list that is not empty.
"""

import pytest

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.page_release import (
    DEFAULT_RELEASE_DELAY,
    MAX_RELEASE_DELAY,
    delete_run,
    new_run,
    release_at_least_n_pages,
    release_to_system,
)
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import MAX_PAGES
from tests.designs.tcmalloc.lookup import FREE, RETURNED, give_back, separated, unsound


def freed(state: HeapState, *lengths: int) -> list[int]:
    """Make free spans of these lengths without free neighbours, freed in this order."""
    spans = separated(state, *lengths)
    give_back(state, *spans)
    return spans


def released_in_turn(state: HeapState, times: int) -> list[int]:
    """Request the release of a page `times` times; return the pages released by each request."""
    return [int(release_at_least_n_pages(state, 1)) for _ in range(times)]


def test_lists_take_turns_starting_with_large_spans(tcmalloc: HeapState) -> None:
    freed(tcmalloc, 3, 1, 2, 1, 300, 200, MAX_PAGES)
    assert released_in_turn(tcmalloc, 8) == [200, 1, 2, 3, MAX_PAGES, 300, 1, 0]


def test_turn_continues_where_it_stopped(tcmalloc: HeapState) -> None:
    spans = freed(tcmalloc, 5, 9)
    assert released_in_turn(tcmalloc, 1) == [5]
    assert tcmalloc.page_heap[0].release_index == 5
    give_back(tcmalloc, new_run(tcmalloc, 5))
    assert released_in_turn(tcmalloc, 2) == [9, 5]
    assert tcmalloc.span[spans[0]].state == RETURNED


@pytest.mark.parametrize("pages", [1, 70, MAX_PAGES])
def test_oldest_span_of_a_list_is_released_first(tcmalloc: HeapState, pages: int) -> None:
    one, two, three = separated(tcmalloc, pages, pages, pages)
    give_back(tcmalloc, two, three, one)
    for gone, left in ((two, [one, three]), (three, [one]), (one, [])):
        assert release_at_least_n_pages(tcmalloc, 1) == pages
        assert tcmalloc.span[gone].state == RETURNED
        assert all(tcmalloc.span[span].state == FREE for span in left)


@pytest.mark.parametrize(
    ("pages", "released"), [(0, 0), (1, 10), (10, 10), (11, 30), (30, 30), (31, 60), (1000, 60)]
)
def test_whole_spans_are_released_until_it_is_enough(
    tcmalloc_heap: Heap, tcmalloc: HeapState, pages: int, released: int
) -> None:
    freed(tcmalloc, 10, 20, 30)
    assert release_at_least_n_pages(tcmalloc, pages) == released
    assert (tcmalloc.page_heap[0].unmapped_pages, tcmalloc.page_heap[0].free_pages) == (
        released,
        60 - released,
    )
    assert unsound(tcmalloc_heap) == []


@pytest.mark.parametrize("rate", [1, 10, 1000])
def test_counter_below_zero_releases_a_span_and_waits_longer_after_a_longer_one(
    tcmalloc: HeapState, rate: int
) -> None:
    two, seven = separated(tcmalloc, 2, 7)
    page_heap = tcmalloc.page_heap[0]
    page_heap.scavenge_counter, page_heap.release_rate = 2, rate
    delete_run(tcmalloc, two)
    assert (page_heap.scavenge_counter, page_heap.unmapped_pages, page_heap.scavenge_count) == (
        0,
        0,
        0,
    )
    delete_run(tcmalloc, seven)
    assert (page_heap.unmapped_pages, page_heap.scavenge_count) == (2, 1)
    assert page_heap.scavenge_counter == 1000 // rate * 2


def test_counter_counts_the_freed_pages_not_the_merged_ones(tcmalloc: HeapState) -> None:
    span = new_run(tcmalloc, 3)
    before = int(tcmalloc.page_heap[0].scavenge_counter)
    delete_run(tcmalloc, span)  # merges with the 125 free pages after it
    assert tcmalloc.page_heap[0].scavenge_counter == before - 3


def test_interval_between_releases_is_bounded(tcmalloc: HeapState) -> None:
    (span,) = separated(tcmalloc, 2000)
    tcmalloc.page_heap[0].scavenge_counter = 0
    delete_run(tcmalloc, span)
    assert tcmalloc.page_heap[0].unmapped_pages == 2000
    assert tcmalloc.page_heap[0].scavenge_counter == MAX_RELEASE_DELAY < 2000 * 1000


def test_rate_of_0_releases_nothing(tcmalloc: HeapState) -> None:
    (span,) = separated(tcmalloc, 20)
    page_heap = tcmalloc.page_heap[0]
    page_heap.scavenge_counter, page_heap.release_rate = 19, 0
    delete_run(tcmalloc, span)
    assert (page_heap.scavenge_counter, page_heap.unmapped_pages, page_heap.scavenge_count) == (
        DEFAULT_RELEASE_DELAY,
        0,
        0,
    )


def test_scavenge_that_finds_nothing_uses_the_default_delay(tcmalloc: HeapState) -> None:
    (span,) = separated(tcmalloc, 20)
    page_heap = tcmalloc.page_heap[0]
    page_heap.scavenge_counter, page_heap.aggressive_decommit = 0, 1
    delete_run(tcmalloc, span)
    assert (page_heap.scavenge_counter, page_heap.unmapped_pages, page_heap.scavenge_count) == (
        DEFAULT_RELEASE_DELAY,
        20,
        1,
    )


@pytest.mark.parametrize(
    ("length", "released", "credit"),
    [
        (1, 10 * PAGE, 10 * PAGE - 1),
        (10 * PAGE - 1, 10 * PAGE, 1),
        (10 * PAGE, 10 * PAGE, 0),
        (10 * PAGE + 1, 10 * PAGE, 0),
        (11 * PAGE, 20 * PAGE, 9 * PAGE),
        (1 << 40, 20 * PAGE, 0),
    ],
)
def test_excess_of_a_release_is_a_credit(
    tcmalloc: HeapState, length: int, released: int, credit: int
) -> None:
    freed(tcmalloc, 10, 10)
    assert release_to_system(tcmalloc, length) == released
    assert tcmalloc.page_heap[0].extra_bytes_released == credit


def test_credit_is_used_up_before_more_is_released(tcmalloc: HeapState) -> None:
    freed(tcmalloc, 10, 10)
    release_to_system(tcmalloc, 1)
    assert release_to_system(tcmalloc, 10 * PAGE - 2) == 0
    assert tcmalloc.page_heap[0].extra_bytes_released == 1
    assert release_to_system(tcmalloc, 2) == 10 * PAGE
    assert tcmalloc.page_heap[0].extra_bytes_released == 10 * PAGE - 1


def test_release_of_no_bytes_does_nothing(tcmalloc: HeapState) -> None:
    freed(tcmalloc, 10)
    assert release_to_system(tcmalloc, 0) == 0
    assert tcmalloc.page_heap[0].unmapped_pages == 0
