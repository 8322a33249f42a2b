"""Thread caches: slow start of lists, and lists that shrink when they overflow."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.cache_limit import STEAL_AMOUNT, create_cache_if_necessary
from allocsim.designs.tcmalloc.thread_cache import (
    MAX_DYNAMIC_FREE_LIST_LENGTH,
    MAX_OVERAGES,
    cleanup,
    deallocate,
    fetch_from_central_cache,
)
from tests.calling import chained
from tests.designs.tcmalloc.cache_lists import (
    BATCH,
    CLASS,
    SIZE,
    allocate,
    cached_size,
    free,
    list_of,
    with_list,
)
from tests.designs.tcmalloc.lookup import cached, class_for

EIGHT = class_for(8)
"""A class with batches of 32 objects, as in CLASS. Each of its spans has 1,024 objects."""

LARGE = class_for(32768)
"""A class whose batches have 2 objects; each of its spans has one object."""


def test_thread_gets_its_cache_when_it_first_allocates(tcmalloc: HeapState) -> None:
    assert not tcmalloc.cache[0].alive
    allocate(tcmalloc)
    assert (tcmalloc.cache[0].alive, tcmalloc.cache[0].max_size) == (1, STEAL_AMOUNT)
    create_cache_if_necessary(tcmalloc, 0)
    assert tcmalloc.static[0].thread_heap_count == 1


def test_list_starts_slowly(tcmalloc: HeapState) -> None:
    bounds: list[tuple[int, int]] = []
    for _ in range(4):
        allocate(tcmalloc)
        bounds.append(list_of(tcmalloc))
        allocate(tcmalloc, bounds[-1][0])
    assert bounds == [(0, 2), (1, 3), (2, 4), (3, 5)]


def test_max_length_grows_by_one_up_to_a_batch_and_then_by_batches(tcmalloc: HeapState) -> None:
    bounds: list[tuple[int, int]] = []
    while len(bounds) < BATCH + 3:
        allocate(tcmalloc, 1 + list_of(tcmalloc, EIGHT)[0], EIGHT)
        bounds.append(list_of(tcmalloc, EIGHT))
    lengths, limits = zip(*bounds, strict=True)
    assert list(limits) == [*range(2, BATCH + 1), *(BATCH * n for n in range(2, 6))]
    assert list(lengths) == [*range(BATCH), *[BATCH - 1] * 3]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BATCH - 1, BATCH),
        (BATCH, 2 * BATCH),
        (BATCH + 1, 2 * BATCH),
        (MAX_DYNAMIC_FREE_LIST_LENGTH, MAX_DYNAMIC_FREE_LIST_LENGTH),
    ],
)
def test_max_length_is_a_multiple_of_the_batch_up_to_a_maximum(
    tcmalloc: HeapState, before: int, after: int
) -> None:
    allocate(tcmalloc)
    tcmalloc.free_list[0, CLASS].max_length = before
    fetch_from_central_cache(tcmalloc, 0, CLASS)
    assert list_of(tcmalloc) == (min(before, BATCH) - 1, after)


def test_maximum_of_max_length_is_rounded_down_to_batches(tcmalloc: HeapState) -> None:
    size_class = class_for(2816)
    allocate(tcmalloc, 1, size_class)
    tcmalloc.free_list[0, size_class].max_length = MAX_DYNAMIC_FREE_LIST_LENGTH - 1
    fetch_from_central_cache(tcmalloc, 0, size_class)
    assert (
        tcmalloc.free_list[0, size_class].max_length
        == MAX_DYNAMIC_FREE_LIST_LENGTH - MAX_DYNAMIC_FREE_LIST_LENGTH % 23
    )


def test_lists_are_last_in_first_out(tcmalloc: HeapState) -> None:
    one, two, three = allocate(tcmalloc, 3)
    tcmalloc.free_list[0, CLASS].max_length = 10
    left = cached(tcmalloc, 0, CLASS)
    free(tcmalloc, one, three, two)
    assert cached(tcmalloc, 0, CLASS) == [two, three, one, *left]
    assert allocate(tcmalloc, 3) == [two, three, one]


def test_size_of_the_cache_changes_with_its_lists(tcmalloc: HeapState) -> None:
    found = allocate(tcmalloc, 10)
    other = allocate(tcmalloc, 5, LARGE)
    tcmalloc.free_list[0, CLASS].max_length = tcmalloc.free_list[0, LARGE].max_length = 100
    tcmalloc.cache[0].max_size = 1 << 20
    before = cached_size(tcmalloc)
    free(tcmalloc, *found[:4])
    free(tcmalloc, *other[:3], size_class=LARGE)
    assert cached_size(tcmalloc) == before + 4 * SIZE + 3 * 32768
    allocate(tcmalloc, 2)
    assert cached_size(tcmalloc) == before + 2 * SIZE + 3 * 32768


@pytest.mark.parametrize(
    ("length", "left", "bound", "length_overages"),
    [
        (3, 0, 4, 0),
        (BATCH - 1, 0, BATCH, 0),
        (BATCH, 1, BATCH, 0),
        (2 * BATCH, BATCH + 1, 2 * BATCH, 1),
    ],
)
def test_list_that_overflows_releases_a_batch_and_may_grow_up_to_one(
    tcmalloc_heap: Heap,
    tcmalloc: HeapState,
    length: int,
    left: int,
    bound: int,
    length_overages: int,
) -> None:
    extra, *_ = with_list(tcmalloc, length, length)
    free(tcmalloc, extra)
    assert list_of(tcmalloc) == (left, bound)
    assert tcmalloc.free_list[0, CLASS].length_overages == length_overages
    cached_size(tcmalloc)
    assert tcmalloc_heap.check() == []


def test_overflow_releases_the_newest_batch(tcmalloc: HeapState) -> None:
    extra, *_ = with_list(tcmalloc, 2 * BATCH, 2 * BATCH)
    objects, used = cached(tcmalloc, 0, CLASS), int(tcmalloc.size_class[CLASS].used_slots)
    free(tcmalloc, extra)
    assert cached(tcmalloc, 0, CLASS) == objects[BATCH - 1 :]
    newest = chained(int(tcmalloc.tc_slots[CLASS, used]))
    assert newest == [extra, *objects[: BATCH - 1]]
    assert tcmalloc.size_class[CLASS].used_slots == used + 1


def test_list_that_overflows_often_is_shortened(tcmalloc: HeapState) -> None:
    with_list(tcmalloc, 8 * BATCH, 3 * BATCH)
    objects, found = tcmalloc.free_list[0, CLASS], []
    for _ in range(MAX_OVERAGES + 2):
        free(tcmalloc, *allocate(tcmalloc))
        found.append((int(objects.length_overages), int(objects.max_length)))
    assert found == [*((n, 3 * BATCH) for n in (1, 2, 3)), (0, 2 * BATCH), (1, 2 * BATCH)]


def test_thread_without_a_cache_frees_to_the_central_free_list(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    (address,) = allocate(tcmalloc)
    deallocate(tcmalloc, 1, CLASS, address)
    assert cached(tcmalloc, 1, CLASS) == []
    assert (tcmalloc.cache[1].alive, tcmalloc.cache[1].size_) == (0, 0)
    assert tcmalloc.size_class[CLASS].num_spans == 0
    assert tcmalloc_heap.check() == []


def test_cleanup_releases_the_lists_in_batches(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    with_list(tcmalloc, 2 * BATCH + 3, 100)
    with_list(tcmalloc, 3, 100, LARGE)
    used = int(tcmalloc.size_class[CLASS].used_slots)
    cleanup(tcmalloc, 0)
    assert cached_size(tcmalloc) == 0
    assert tcmalloc.size_class[CLASS].used_slots == used + 2
    assert tcmalloc.size_class[LARGE].used_slots == 1
    assert tcmalloc_heap.check() == []


def test_frozen_heap_allocates_until_its_pages_are_used(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    allocate(tcmalloc)
    tcmalloc.system[0].frozen = 1
    assert fetch_from_central_cache(tcmalloc, 0, class_for(262144)) != 0  # 127 pages are free
    while fetch_from_central_cache(tcmalloc, 0, class_for(262144)):
        pass
    assert tcmalloc.system[0].refusal == Status.FROZEN
    assert tcmalloc_heap.check() == []
