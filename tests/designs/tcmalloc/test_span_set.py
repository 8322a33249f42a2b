"""Span sets are sorted by length and address. Their trees are shallow for any order of calls."""

import random
from bisect import bisect_left, insort

import pytest

from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.span import LIST_HEADS
from allocsim.designs.tcmalloc.span_set import (
    FREE_ROOT,
    RETURNED_ROOT,
    erase_span,
    insert_span,
    linked_span,
    lower_bound,
    root_of,
)
from tests.conftest import SCALE

FIRST = LIST_HEADS + 1

Key = tuple[int, int, int]
"""Pages, address and number of a span; a sorted list of keys is the model of a set."""


def define(state: HeapState, number: int, pages: int, address: int) -> Key:
    """Give a span record a length and an address; return its key."""
    state.span[FIRST + number].pages = pages
    state.span[FIRST + number].address = address
    return pages, address, FIRST + number


def members(state: HeapState, root: int) -> tuple[list[int], int]:
    """Return the spans of a set in order, and its depth."""

    def walk(span: int) -> tuple[list[int], int]:
        if span == 0:
            return [], 0
        before, one = walk(int(state.span[span].left))
        after, other = walk(int(state.span[span].right))
        return [*before, span, *after], 1 + max(one, other)

    return walk(int(linked_span(state, root)))


def numbers(model: list[Key]) -> list[int]:
    """Return the spans of the model in order."""
    return [number for _, _, number in model]


def test_each_state_has_its_own_set() -> None:
    assert root_of(SpanState.FREE) == FREE_ROOT
    assert root_of(SpanState.RETURNED) == RETURNED_ROOT


def test_empty_set_has_no_fit(tcmalloc: HeapState) -> None:
    assert [lower_bound(tcmalloc, root, 1) for root in (FREE_ROOT, RETURNED_ROOT)] == [0, 0]


def test_equal_lengths_are_ordered_by_address(tcmalloc: HeapState) -> None:
    keys = [define(tcmalloc, n, 200, at) for n, at in enumerate((0x5000, 0x1000, 0x9000))]
    for key in keys:
        insert_span(tcmalloc, FREE_ROOT, key[2])
    assert members(tcmalloc, FREE_ROOT)[0] == [FIRST + 1, FIRST, FIRST + 2]
    assert lower_bound(tcmalloc, FREE_ROOT, 150) == FIRST + 1
    assert lower_bound(tcmalloc, FREE_ROOT, 201) == 0


def test_erased_span_has_no_children(tcmalloc: HeapState) -> None:
    keys = [define(tcmalloc, n, 200 + n, 0) for n in range(20)]
    for _, _, span in keys:
        insert_span(tcmalloc, RETURNED_ROOT, span)
    for _, _, span in keys:
        erase_span(tcmalloc, RETURNED_ROOT, span)
        assert (tcmalloc.span[span].left, tcmalloc.span[span].right) == (0, 0)
    assert tcmalloc.page_heap[0].large_returned == 0


@pytest.mark.parametrize("step", [1, -1], ids=["ascending", "descending"])
def test_set_stays_shallow_when_it_is_filled_in_order(tcmalloc: HeapState, step: int) -> None:
    count = 50 * SCALE
    for number in range(count)[::step]:
        insert_span(tcmalloc, FREE_ROOT, define(tcmalloc, number, 129 + number, 0)[2])
    found, depth = members(tcmalloc, FREE_ROOT)
    assert found == list(range(FIRST, FIRST + count))
    assert depth < 4 * count.bit_length()


@pytest.mark.parametrize("seed", range(4))
def test_random_sets_agree_with_sorted_lists(tcmalloc: HeapState, seed: int) -> None:
    rng = random.Random(seed)
    count, lengths = 15 * SCALE, (130, 150) if seed % 2 else (129, 100_000)
    keys = [define(tcmalloc, n, rng.randint(*lengths), n * 8192) for n in range(count)]
    models: dict[int, list[Key]] = {FREE_ROOT: [], RETURNED_ROOT: []}
    outside = list(keys)
    for _ in range(150 * SCALE):
        root = rng.choice((FREE_ROOT, RETURNED_ROOT))
        model = models[root]
        if outside and rng.random() < 0.5:
            key = outside.pop(rng.randrange(len(outside)))
            insort(model, key)
            insert_span(tcmalloc, root, key[2])
        elif model:
            key = model.pop(rng.randrange(len(model)))
            outside.append(key)
            erase_span(tcmalloc, root, key[2])
        wanted = rng.randint(lengths[0] - 1, lengths[1] + 1)
        place = bisect_left(model, (wanted, 0, 0))
        expected = model[place][2] if place < len(model) else 0
        assert lower_bound(tcmalloc, root, wanted) == expected
    for root, model in models.items():
        assert members(tcmalloc, root)[0] == numbers(model)
