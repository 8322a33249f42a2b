"""Bounded caches: slow start, lists that shrink when they overflow, caches that are trimmed."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.thread_cache import (
    LONGEST,
    MOST_OVERAGES,
    STEP,
    empty_cache,
    fetch,
    pop_object,
    push_object,
    require_cache,
    trim,
)
from tests.calling import chained
from tests.designs.tcmalloc.lookup import SIZES, cached, class_for

CLASS, SIZE, BATCH = class_for(64), 64, 32
EIGHT = class_for(8)
"""A class of batches of 32 as well, and of spans of 1,024 objects."""

LARGE = class_for(32768)
"""A class of batches of 2, and of spans of one object."""


def allocate(state: HeapState, count: int = 1, size_class: int = CLASS) -> list[int]:
    """Objects that thread 0 allocates."""
    return [
        int(pop_object(state, 0, size_class) or fetch(state, 0, size_class)) for _ in range(count)
    ]


def free(state: HeapState, *addresses: int, size_class: int = CLASS) -> None:
    """Free objects on thread 0."""
    for address in addresses:
        push_object(state, 0, size_class, address)


def list_of(state: HeapState, size_class: int = CLASS) -> tuple[int, int]:
    """The length of a list of thread 0, and its bound."""
    objects = state.object_list[0, size_class]
    assert objects.length == len(cached(state, 0, size_class))
    return int(objects.length), int(objects.most)


def held(state: HeapState) -> int:
    """Bytes that the cache of thread 0 counts; its lists hold as many."""
    found = sum(len(cached(state, 0, number)) * size for number, size in enumerate(SIZES) if number)
    assert state.cache[0].held == found
    return found


def test_thread_gets_its_cache_when_it_first_allocates(tcmalloc: HeapState) -> None:
    assert not tcmalloc.cache[0].alive
    allocate(tcmalloc)
    assert (tcmalloc.cache[0].alive, tcmalloc.cache[0].most) == (1, STEP)
    require_cache(tcmalloc, 0)
    assert tcmalloc.budget[0].caches == 1


def test_list_starts_slowly(tcmalloc: HeapState) -> None:
    bounds = []
    for _ in range(4):
        allocate(tcmalloc)
        bounds.append(list_of(tcmalloc))
        allocate(tcmalloc, bounds[-1][0])
    assert bounds == [(0, 2), (1, 3), (2, 4), (3, 5)]


def test_bound_grows_by_one_up_to_a_batch_and_then_by_batches(tcmalloc: HeapState) -> None:
    bounds = []
    while len(bounds) < BATCH + 3:
        allocate(tcmalloc, 1 + list_of(tcmalloc, EIGHT)[0], EIGHT)
        bounds.append(list_of(tcmalloc, EIGHT))
    lengths, most = zip(*bounds, strict=True)
    assert list(most) == [*range(2, BATCH + 1), *(BATCH * n for n in range(2, 6))]
    assert list(lengths) == [*range(BATCH), *[BATCH - 1] * 3]


@pytest.mark.parametrize(
    ("before", "after"),
    [(BATCH - 1, BATCH), (BATCH, 2 * BATCH), (BATCH + 1, 2 * BATCH), (LONGEST, LONGEST)],
)
def test_bound_is_a_number_of_batches_and_has_an_end(
    tcmalloc: HeapState, before: int, after: int
) -> None:
    allocate(tcmalloc)
    tcmalloc.object_list[0, CLASS].most = before
    fetch(tcmalloc, 0, CLASS)
    assert list_of(tcmalloc) == (min(before, BATCH) - 1, after)


def test_longest_bound_is_rounded_down_to_batches(tcmalloc: HeapState) -> None:
    size_class = class_for(2816)
    allocate(tcmalloc, 1, size_class)
    tcmalloc.object_list[0, size_class].most = LONGEST - 1
    fetch(tcmalloc, 0, size_class)
    assert tcmalloc.object_list[0, size_class].most == LONGEST - LONGEST % 23


def test_objects_come_last_in_first_out(tcmalloc: HeapState) -> None:
    one, two, three = allocate(tcmalloc, 3)
    tcmalloc.object_list[0, CLASS].most = 10
    left = cached(tcmalloc, 0, CLASS)
    free(tcmalloc, one, three, two)
    assert cached(tcmalloc, 0, CLASS) == [two, three, one, *left]
    assert allocate(tcmalloc, 3) == [two, three, one]


def test_bytes_of_the_cache_change_with_its_lists(tcmalloc: HeapState) -> None:
    found = allocate(tcmalloc, 10)
    other = allocate(tcmalloc, 5, LARGE)
    tcmalloc.object_list[0, CLASS].most = tcmalloc.object_list[0, LARGE].most = 100
    tcmalloc.cache[0].most = 1 << 20
    before = held(tcmalloc)
    free(tcmalloc, *found[:4])
    free(tcmalloc, *other[:3], size_class=LARGE)
    assert held(tcmalloc) == before + 4 * SIZE + 3 * 32768
    allocate(tcmalloc, 2)
    assert held(tcmalloc) == before + 2 * SIZE + 3 * 32768


def test_low_water_is_the_least_length_since_the_last_trim(tcmalloc: HeapState) -> None:
    objects = tcmalloc.object_list[0, CLASS]
    free(tcmalloc, *allocate(tcmalloc, 8)[:1])
    objects.most = 100
    free(tcmalloc, *allocate(tcmalloc, 8))
    trim(tcmalloc, 0)
    length = int(objects.length)
    assert objects.low_water == length
    free(tcmalloc, *allocate(tcmalloc, 3))
    assert (objects.length, objects.low_water) == (length, length - 3)


def with_list(state: HeapState, length: int, most: int, size_class: int = CLASS) -> list[int]:
    """Give thread 0 a list of a length and a bound, in a cache that may hold a lot.

    Some objects that are in use.
    """
    found = allocate(state, length + 40, size_class)
    state.cache[0].most = 1 << 30
    state.budget[0].unclaimed = state.budget[0].total - (1 << 30)
    found += allocate(state, list_of(state, size_class)[0], size_class)
    state.object_list[0, size_class].most = 1 << 20
    free(state, *found[:length], size_class=size_class)
    state.object_list[0, size_class].most = most
    assert list_of(state, size_class) == (length, most)
    return found[length:]


@pytest.mark.parametrize(
    ("length", "left", "bound", "overages"),
    [
        (3, 0, 4, 0),
        (BATCH - 1, 0, BATCH, 0),
        (BATCH, 1, BATCH, 0),
        (2 * BATCH, BATCH + 1, 2 * BATCH, 1),
    ],
)
def test_list_that_overflows_gives_a_batch_back_and_may_grow_up_to_one(
    tcmalloc_heap: Heap, tcmalloc: HeapState, length: int, left: int, bound: int, overages: int
) -> None:
    extra, *_ = with_list(tcmalloc, length, length)
    free(tcmalloc, extra)
    assert list_of(tcmalloc) == (left, bound)
    assert tcmalloc.object_list[0, CLASS].overages == overages
    held(tcmalloc)
    assert tcmalloc_heap.check() == []


def test_overflow_gives_the_newest_batch_to_the_centre(tcmalloc: HeapState) -> None:
    extra, *_ = with_list(tcmalloc, 2 * BATCH, 2 * BATCH)
    objects, used = cached(tcmalloc, 0, CLASS), int(tcmalloc.size_class[CLASS].used)
    free(tcmalloc, extra)
    assert cached(tcmalloc, 0, CLASS) == objects[BATCH - 1 :]
    newest = chained(int(tcmalloc.slot[CLASS, used]))
    assert newest == [extra, *objects[: BATCH - 1]]
    assert tcmalloc.size_class[CLASS].used == used + 1


def test_list_that_overflows_often_is_made_shorter(tcmalloc: HeapState) -> None:
    with_list(tcmalloc, 8 * BATCH, 3 * BATCH)
    objects, found = tcmalloc.object_list[0, CLASS], []
    for _ in range(MOST_OVERAGES + 2):
        free(tcmalloc, *allocate(tcmalloc))
        found.append((int(objects.overages), int(objects.most)))
    assert found == [*((n, 3 * BATCH) for n in (1, 2, 3)), (0, 2 * BATCH), (1, 2 * BATCH)]


def test_overflow_of_a_cache_that_holds_too_much_trims_it_too(tcmalloc: HeapState) -> None:
    extra, *_ = with_list(tcmalloc, 3 * BATCH, 3 * BATCH)
    tcmalloc.object_list[0, CLASS].low_water = BATCH
    tcmalloc.budget[0].unclaimed = STEP
    tcmalloc.cache[0].most = 1
    free(tcmalloc, extra)
    # A batch for the length, then half of the low water for the bytes.
    assert list_of(tcmalloc)[0] == 2 * BATCH + 1 - BATCH // 2
    assert tcmalloc.cache[0].most == 1 + STEP


def test_trim_gives_back_half_of_the_low_water_of_every_list(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    other = class_for(200)
    with_list(tcmalloc, 21, 100)
    with_list(tcmalloc, 1, 100, other)
    for size_class, low_water in ((CLASS, 21), (other, 1)):
        tcmalloc.object_list[0, size_class].low_water = low_water
    assert trim(tcmalloc, 0) == Status.OK
    assert list_of(tcmalloc) == (11, 68)
    assert list_of(tcmalloc, other) == (0, 68)
    assert tcmalloc.object_list[0, CLASS].low_water == 11
    held(tcmalloc)
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize(
    ("most", "after"), [(BATCH - 5, BATCH - 5), (BATCH, BATCH), (BATCH + 1, BATCH), (100, 68)]
)
def test_trim_shortens_the_bound_but_not_below_a_batch(
    tcmalloc: HeapState, most: int, after: int
) -> None:
    with_list(tcmalloc, 10, most)
    tcmalloc.object_list[0, CLASS].low_water = 4
    trim(tcmalloc, 0)
    assert list_of(tcmalloc) == (8, after)


def test_trim_leaves_a_list_alone_that_was_empty_since(tcmalloc: HeapState) -> None:
    with_list(tcmalloc, 10, 100)
    tcmalloc.object_list[0, CLASS].low_water = 0
    trim(tcmalloc, 0)
    assert list_of(tcmalloc) == (10, 100)
    assert tcmalloc.object_list[0, CLASS].low_water == 10


def test_trim_claims_more(tcmalloc: HeapState) -> None:
    allocate(tcmalloc)
    trim(tcmalloc, 0)
    assert tcmalloc.cache[0].most == 2 * STEP


def test_cache_that_holds_too_much_is_trimmed_when_an_object_is_freed(tcmalloc: HeapState) -> None:
    with_list(tcmalloc, 20, 100)
    objects, cache = tcmalloc.object_list[0, CLASS], tcmalloc.cache[0]
    objects.low_water = 6
    tcmalloc.budget[0].unclaimed = STEP
    cache.most = cache.held
    (one,) = allocate(tcmalloc)
    free(tcmalloc, one)
    assert (objects.length, cache.most) == (20, 20 * SIZE)  # as much as it may hold, no more
    cache.most = 20 * SIZE - 1
    (one,) = allocate(tcmalloc)
    free(tcmalloc, one)
    assert (objects.length, cache.most) == (17, 20 * SIZE - 1 + STEP)


def test_thread_without_a_cache_gives_straight_to_the_centre(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    (address,) = allocate(tcmalloc)
    push_object(tcmalloc, 1, CLASS, address)
    assert cached(tcmalloc, 1, CLASS) == []
    assert (tcmalloc.cache[1].alive, tcmalloc.cache[1].held) == (0, 0)
    assert tcmalloc.size_class[CLASS].spans == 0
    assert tcmalloc_heap.check() == []


def test_emptied_cache_gives_its_lists_back_in_batches(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    with_list(tcmalloc, 2 * BATCH + 3, 100)
    with_list(tcmalloc, 3, 100, LARGE)
    used = int(tcmalloc.size_class[CLASS].used)
    empty_cache(tcmalloc, 0)
    assert held(tcmalloc) == 0
    assert tcmalloc.size_class[CLASS].used == used + 2
    assert tcmalloc.size_class[LARGE].used == 1
    assert tcmalloc_heap.check() == []


def test_frozen_heap_gives_what_is_cached_and_no_more(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    allocate(tcmalloc)
    tcmalloc.system[0].frozen = 1
    assert fetch(tcmalloc, 0, class_for(262144)) != 0  # there are 127 pages
    while fetch(tcmalloc, 0, class_for(262144)):
        pass
    assert tcmalloc.system[0].refusal == Status.FROZEN
    assert tcmalloc_heap.check() == []
