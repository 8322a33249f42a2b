"""Spans and page lists: spans keep their numbers, can be split, and are listed newest first."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.designs.go2008.pagemap import span_of
from allocsim.designs.go2008.records import LARGE, Go2008, Span, SpanState
from allocsim.designs.go2008.span import new_span, push_span, remove_after, split
from tests.conftest import PAGE
from tests.designs.go2008.lookup import span_list

FIRST = 1 << 40
"""Address of the first span. No byte there is touched."""


def extent(state: Go2008, span: int) -> tuple[int, int]:
    """Return the offset of a span from FIRST and its length, in pages."""
    return (int(state.span[span].address) - FIRST) // PAGE, int(state.span[span].pages)


def test_spans_are_numbered_from_one_in_order(state: Go2008) -> None:
    numbers = [new_span(state, FIRST + 8 * page * PAGE, 8) for page in range(3)]
    assert numbers == [1, 2, 3]
    assert state.counters[0].spans == 3


def test_new_span_is_in_use_and_of_no_class(state: Go2008) -> None:
    record = state.span[new_span(state, FIRST, 5)]
    assert (record.address, record.pages, record.next) == (FIRST, 5, 0)
    assert (record.state, record.size_class) == (SpanState.IN_USE, LARGE)


def test_new_span_is_mapped(state: Go2008) -> None:
    span = new_span(state, FIRST, 2)
    pages = [span_of(state, FIRST + page * PAGE) for page in (-1, 0, 1, 2)]
    assert pages == [0, span, span, 0]


def test_record_of_a_span_counts_as_metadata(state: Go2008) -> None:
    new_span(state, FIRST, 1)
    before = int(state.static[0].chunk_left)
    new_span(state, FIRST + PAGE, 1)
    assert before - state.static[0].chunk_left == -(-Span.dtype.itemsize // 16) * 16


def test_new_span_fails_if_the_table_is_full(small_heap: Heap) -> None:
    state = small_heap.state
    room = len(state.span) - 1
    state.counters[0].spans = room - 1
    assert new_span(state, FIRST, 1) == room
    assert new_span(state, FIRST + PAGE, 1) == 0
    assert state.system[0].refusal == Status.OUT_OF_MEMORY
    assert state.counters[0].spans == room


def test_new_span_fails_in_a_frozen_heap(state: Go2008) -> None:
    state.system[0].frozen = 1
    assert new_span(state, FIRST, 1) == 0
    assert (state.counters[0].spans, span_of(state, FIRST)) == (0, 0)


@pytest.mark.parametrize("pages", [1, 4, 9])
def test_split_keeps_the_front_and_makes_a_span_of_the_rest(state: Go2008, pages: int) -> None:
    span = new_span(state, FIRST, 10)
    rest = split(state, span, pages)
    assert extent(state, span) == (0, pages)
    assert extent(state, rest) == (pages, 10 - pages)
    assert state.counters[0].splits == 1


def test_split_maps_the_rest(state: Go2008) -> None:
    span = new_span(state, FIRST, 4)
    rest = split(state, span, 1)
    pages = [span_of(state, FIRST + page * PAGE) for page in range(5)]
    assert pages == [span, rest, rest, rest, 0]


def test_failed_split_leaves_the_span_unchanged(state: Go2008) -> None:
    span = new_span(state, FIRST, 10)
    state.system[0].frozen = 1
    assert split(state, span, 4) == 0
    assert extent(state, span) == (0, 10)
    assert span_of(state, FIRST + 9 * PAGE) == span
    assert state.counters[0].splits == 0


@pytest.fixture
def listed(state: Go2008) -> Go2008:
    """Spans 1 to 4 on list 8, the newest first."""
    for page in range(0, 32, 8):
        push_span(state, 8, new_span(state, FIRST + page * PAGE, 8))
    return state


def test_spans_are_listed_newest_first(listed: Go2008) -> None:
    assert span_list(listed, 8) == [4, 3, 2, 1]
    assert listed.page_list[8].spans == 4


@pytest.mark.parametrize(
    ("before", "taken", "left"),
    [(0, 4, [3, 2, 1]), (4, 3, [4, 2, 1]), (2, 1, [4, 3, 2])],
    ids=["head", "middle", "last"],
)
def test_span_is_removed_from_anywhere_on_its_list(
    listed: Go2008, before: int, taken: int, left: list[int]
) -> None:
    assert remove_after(listed, 8, before) == taken
    assert span_list(listed, 8) == left
    assert (listed.span[taken].next, listed.page_list[8].spans) == (0, 3)


def test_list_can_be_emptied_and_filled_again(listed: Go2008) -> None:
    assert [remove_after(listed, 8, 0) for _ in range(4)] == [4, 3, 2, 1]
    assert (listed.page_list[8].head, listed.page_list[8].spans) == (0, 0)
    push_span(listed, 8, 2)
    assert span_list(listed, 8) == [2]


def test_lists_are_separate(listed: Go2008) -> None:
    push_span(listed, 9, remove_after(listed, 8, 0))
    assert (span_list(listed, 8), span_list(listed, 9)) == ([3, 2, 1], [4])
