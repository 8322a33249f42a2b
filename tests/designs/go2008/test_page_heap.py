"""go2008's page heap: best fit, splitting without coalescing, and a valid heap after a failure."""

import random

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.designs.go2008.page_heap import (
    LARGE_LIST,
    allocate_aligned_span,
    allocate_span,
    free_span,
)
from allocsim.designs.go2008.records import Go2008, SpanState
from tests.conftest import PAGE, SCALE, Unsound
from tests.designs.go2008.lookup import span_list


@pytest.fixture
def unsound(state: Go2008, unsound: Unsound) -> Unsound:
    """A check of the heap in which all spans in use count as large objects."""

    def call() -> list[str]:
        in_use = state.system[0].heap // PAGE - state.static[0].free_pages
        state.counters[0].large_pages = in_use
        return unsound()

    return call


def counters(state: Go2008) -> dict[str, int]:
    """Return the counters of the page heap."""
    names = ("grows", "splits", "spans", "free_spans")
    counts = {name: int(state.counters[0][name]) for name in names}
    return counts | {"free_pages": int(state.static[0].free_pages)}


def pages_of(state: Go2008, spans: list[int]) -> list[int]:
    """Return the lengths of spans."""
    return [int(state.span[span].pages) for span in spans]


def taken(state: Go2008, *lengths: int) -> list[int]:
    """Allocate spans of these lengths."""
    return [allocate_span(state, pages) for pages in lengths]


def freed(state: Go2008, *lengths: int) -> list[int]:
    """Allocate spans of these lengths, then free them in this order; no other span is free then.

    Spans that growth leaves free are allocated too. They must be shorter than LARGE_LIST pages.
    """
    spans = taken(state, *lengths)
    while state.static[0].free_pages:
        taken(state, *[index for index in range(LARGE_LIST) if state.page_list[index].head])
    for span in spans:
        free_span(state, span)
    return spans


@pytest.mark.parametrize("pages", [1, 8, 255, 256, 257, 1000])
def test_empty_heap_grows_by_256_pages_or_by_what_is_needed(state: Go2008, pages: int) -> None:
    span = allocate_span(state, pages)
    assert state.system[0].heap == max(pages, 256) * PAGE
    assert pages_of(state, [span]) == [pages]
    cut = pages < 256
    assert counters(state) == {
        "grows": 1,
        "splits": cut,
        "spans": 1 + cut,
        "free_spans": cut,
        "free_pages": max(256 - pages, 0),
    }


def test_low_part_is_used_and_the_rest_is_free(heap: Heap, state: Go2008) -> None:
    span = allocate_span(state, 100)
    (rest,) = span_list(state, 156)
    assert state.span[span].address == heap.memory.address
    assert state.span[rest].address == heap.memory.address + 100 * PAGE
    assert (state.span[span].state, state.span[rest].state) == (SpanState.IN_USE, SpanState.FREE)


def test_second_span_is_split_from_the_rest_of_the_first(heap: Heap, state: Go2008) -> None:
    taken(state, 100)
    assert state.span[allocate_span(state, 50)].address == heap.memory.address + 100 * PAGE
    assert counters(state)["grows"] == 1


@pytest.mark.parametrize(
    ("wanted", "used"), [(1, 3), (3, 3), (4, 5), (6, 9), (9, 9), (10, 300), (260, 300), (301, 400)]
)
def test_shortest_span_that_is_long_enough_is_used(state: Go2008, wanted: int, used: int) -> None:
    spans = dict(zip((9, 400, 3, 300, 5), freed(state, 9, 400, 3, 300, 5), strict=True))
    grows = counters(state)["grows"]
    assert allocate_span(state, wanted) == spans[used]
    assert counters(state)["grows"] == grows


def test_no_span_that_is_long_enough_means_growth(state: Go2008) -> None:
    spans = freed(state, 400, 200)
    before = counters(state)
    assert allocate_span(state, 401) not in spans
    assert counters(state)["grows"] == before["grows"] + 1
    assert counters(state)["free_pages"] == before["free_pages"]


def test_exact_fit_is_not_split(state: Go2008) -> None:
    (span,) = freed(state, 20)
    before = counters(state)
    assert allocate_span(state, 20) == span
    assert counters(state) == before | {"free_spans": 0, "free_pages": 0}


def test_rest_of_a_short_span_goes_on_the_list_of_its_length(state: Go2008) -> None:
    freed(state, 20)
    taken(state, 13)
    assert pages_of(state, span_list(state, 7)) == [7]
    assert span_list(state, 20) == []


def test_equal_spans_are_used_last_in_first_out(state: Go2008) -> None:
    first, second, third = freed(state, 6, 6, 6)
    assert span_list(state, 6) == [third, second, first]
    assert taken(state, 6, 6, 6) == [third, second, first]


@pytest.mark.parametrize(
    "order",
    [(300, 256, 400, 300, 257), (256, 257, 300, 300, 400), (400, 300, 300, 257, 256)],
    ids=["mixed", "ascending", "descending"],
)
def test_large_list_is_in_ascending_length(state: Go2008, order: tuple[int, ...]) -> None:
    freed(state, *order)
    assert pages_of(state, span_list(state, LARGE_LIST)) == sorted(order)
    assert state.page_list[LARGE_LIST].spans == 5


def test_new_large_span_is_before_those_of_its_length(state: Go2008) -> None:
    spans = freed(state, 300, 256, 300, 400, 300)
    assert span_list(state, LARGE_LIST) == [spans[1], spans[4], spans[2], spans[0], spans[3]]
    assert allocate_span(state, 300) == spans[4]


def test_large_list_begins_at_256_pages(state: Go2008) -> None:
    short, long = freed(state, 255, 256)
    assert (span_list(state, 255), span_list(state, 256)) == ([short], [long])


def test_rest_of_a_large_span_is_inserted_in_order(state: Go2008) -> None:
    freed(state, 300, 900)
    taken(state, 301)
    assert pages_of(state, span_list(state, LARGE_LIST)) == [300, 599]


def test_adjacent_free_spans_do_not_coalesce(state: Go2008) -> None:
    spans = taken(state, 128, 128)
    for span in spans:
        free_span(state, span)
    before = counters(state)
    allocate_span(state, 129)
    assert counters(state)["grows"] == before["grows"] + 1
    assert state.counters[0].coalesces == 0
    assert pages_of(state, spans) == [128, 128]


def test_frozen_heap_does_not_grow_and_stays_valid(state: Go2008, unsound: Unsound) -> None:
    freed(state, 10)
    state.system[0].frozen = 1
    before = counters(state)
    assert allocate_span(state, 11) == 0
    assert state.system[0].refusal == Status.FROZEN
    assert (counters(state), unsound()) == (before, [])


@pytest.mark.parametrize("pages", [9, 299, 350], ids=["short", "first of long", "second of long"])
def test_frozen_heap_does_not_split_and_keeps_its_lists(
    state: Go2008, unsound: Unsound, pages: int
) -> None:
    freed(state, 10, 300, 400, 10, 400)
    lists = [span_list(state, index) for index in (10, LARGE_LIST)]
    state.system[0].frozen = 1
    before = counters(state)
    assert allocate_span(state, pages) == 0
    assert [span_list(state, index) for index in (10, LARGE_LIST)] == lists
    assert (counters(state), unsound()) == (before, [])


def test_frozen_heap_uses_an_exact_fit(state: Go2008) -> None:
    short, long = freed(state, 10, 300)
    state.system[0].frozen = 1
    assert taken(state, 300, 10) == [long, short]


def test_reservation_can_be_used_to_its_last_page(small_heap: Heap) -> None:
    state = small_heap.state
    pages = small_heap.memory.length // PAGE
    assert all(taken(state, *[256] * (pages // 256)))
    assert allocate_span(state, 1) == 0
    assert state.system[0].refusal == Status.OUT_OF_MEMORY
    assert state.system[0].heap == small_heap.memory.length


@pytest.mark.parametrize("pages", [1, 300, 1025, 1 << 50])
def test_failure_in_a_full_heap_changes_no_counter(small_heap: Heap, pages: int) -> None:
    state = small_heap.state
    taken(state, 1000)
    before = counters(state)
    assert allocate_span(state, pages) == 0
    assert counters(state) == before


def test_growth_by_256_pages_fails_even_if_fewer_would_do(small_heap: Heap) -> None:
    assert allocate_span(small_heap.state, 1024 - 255)
    assert allocate_span(small_heap.state, 1) == 0


ALIGNMENTS = [2 * PAGE, 4 * PAGE, 64 * PAGE, 1 << 20, 1 << 22]


@pytest.mark.parametrize("alignment", ALIGNMENTS, ids=hex)
@pytest.mark.parametrize("pages", [1, 3, 256, 300])
def test_aligned_span_is_aligned_and_of_the_exact_length(
    state: Go2008, unsound: Unsound, pages: int, alignment: int
) -> None:
    spans = [allocate_aligned_span(state, pages, alignment) for _ in range(3)]
    assert all(state.span[span].address % alignment == 0 for span in spans)
    assert pages_of(state, spans) == [pages] * 3
    assert counters(state)["splits"] == counters(state)["spans"] - counters(state)["grows"]
    for span in spans:
        free_span(state, span)
    assert unsound() == []


def test_pages_before_and_after_an_aligned_span_are_free(state: Go2008) -> None:
    taken(state, 1)
    span = allocate_aligned_span(state, 3, 64 * PAGE)
    in_use = 1 + 3
    assert counters(state)["free_pages"] == state.system[0].heap // PAGE - in_use
    assert state.span[span].state == SpanState.IN_USE


@pytest.mark.parametrize("ahead", [0, 1], ids=["split after", "split before"])
def test_aligned_span_fails_in_a_frozen_heap_that_stays_valid(
    heap: Heap, state: Go2008, unsound: Unsound, ahead: int
) -> None:
    first = -(heap.memory.address // PAGE) % 4  # pages before the first page number divisible by 4
    freed(state, *[pages for pages in (first + ahead,) if pages], 7)
    state.system[0].frozen = 1
    before = counters(state)
    assert allocate_aligned_span(state, 4, 4 * PAGE) == 0
    assert (counters(state), unsound()) == (before, [])


def test_aligned_span_that_does_not_fit_fails(small_heap: Heap) -> None:
    assert allocate_aligned_span(small_heap.state, 1000, 1 << 20) == 0
    assert small_heap.state.system[0].refusal == Status.OUT_OF_MEMORY


class Lengths:
    """A model of the page heap: the lengths of its free spans."""

    def __init__(self) -> None:
        self.free: list[int] = []
        self.grows = self.splits = 0

    def take(self, pages: int) -> None:
        fitting = [length for length in self.free if length >= pages]
        if fitting:
            found = min(fitting)
            self.free.remove(found)
        else:
            found = max(pages, 256)
            self.grows += 1
        if found > pages:
            self.free.append(found - pages)
            self.splits += 1


@pytest.mark.parametrize("seed", range(3))
def test_random_spans_agree_with_a_list_of_lengths(
    state: Go2008, unsound: Unsound, seed: int
) -> None:
    rng, model, spans = random.Random(seed), Lengths(), list[int]()
    for _ in range(100 * SCALE):
        if spans and rng.random() < 0.5:
            span = spans.pop(rng.randrange(len(spans)))
            model.free.append(int(state.span[span].pages))
            free_span(state, span)
        else:
            pages = int(2 ** rng.uniform(0, 9.5))
            model.take(pages)
            spans.append(allocate_span(state, pages))
    free = [span for index in range(LARGE_LIST + 1) for span in span_list(state, index)]
    assert sorted(pages_of(state, free)) == sorted(model.free)
    assert (state.counters[0].grows, state.counters[0].splits) == (model.grows, model.splits)
    assert unsound() == []
