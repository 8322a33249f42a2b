"""Scavenging: a thread cache releases idle objects and asks for a higher limit."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.cache_limit import STEAL_AMOUNT
from allocsim.designs.tcmalloc.thread_cache import scavenge
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
from tests.designs.tcmalloc.lookup import class_for


def test_low_water_mark_is_the_minimum_length_since_the_last_scavenge(tcmalloc: HeapState) -> None:
    objects = tcmalloc.free_list[0, CLASS]
    free(tcmalloc, *allocate(tcmalloc, 8)[:1])
    objects.max_length = 100
    free(tcmalloc, *allocate(tcmalloc, 8))
    scavenge(tcmalloc, 0)
    length = int(objects.length)
    assert objects.low_water_mark == length
    free(tcmalloc, *allocate(tcmalloc, 3))
    assert (objects.length, objects.low_water_mark) == (length, length - 3)


def test_overflow_of_a_cache_above_its_limit_scavenges_it_too(tcmalloc: HeapState) -> None:
    extra, *_ = with_list(tcmalloc, 3 * BATCH, 3 * BATCH)
    tcmalloc.free_list[0, CLASS].low_water_mark = BATCH
    tcmalloc.static[0].unclaimed_cache_space = STEAL_AMOUNT
    tcmalloc.cache[0].max_size = 1
    free(tcmalloc, extra)
    # The list is too long and releases a batch. Then the cache is too large, and the list releases
    # half of its low-water mark.
    assert list_of(tcmalloc)[0] == 2 * BATCH + 1 - BATCH // 2
    assert tcmalloc.cache[0].max_size == 1 + STEAL_AMOUNT


def test_scavenge_releases_half_of_each_low_water_mark(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    other = class_for(200)
    with_list(tcmalloc, 21, 100)
    with_list(tcmalloc, 1, 100, other)
    for size_class, low_water_mark in ((CLASS, 21), (other, 1)):
        tcmalloc.free_list[0, size_class].low_water_mark = low_water_mark
    assert scavenge(tcmalloc, 0) == Status.OK
    assert list_of(tcmalloc) == (11, 68)
    assert list_of(tcmalloc, other) == (0, 68)
    assert tcmalloc.free_list[0, CLASS].low_water_mark == 11
    cached_size(tcmalloc)
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize(
    ("max_length", "after"), [(BATCH - 5, BATCH - 5), (BATCH, BATCH), (BATCH + 1, BATCH), (100, 68)]
)
def test_scavenge_lowers_max_length_but_not_below_a_batch(
    tcmalloc: HeapState, max_length: int, after: int
) -> None:
    with_list(tcmalloc, 10, max_length)
    tcmalloc.free_list[0, CLASS].low_water_mark = 4
    scavenge(tcmalloc, 0)
    assert list_of(tcmalloc) == (8, after)


def test_scavenge_skips_a_list_that_was_empty_since_the_last(tcmalloc: HeapState) -> None:
    with_list(tcmalloc, 10, 100)
    tcmalloc.free_list[0, CLASS].low_water_mark = 0
    scavenge(tcmalloc, 0)
    assert list_of(tcmalloc) == (10, 100)
    assert tcmalloc.free_list[0, CLASS].low_water_mark == 10


def test_scavenge_raises_the_limit(tcmalloc: HeapState) -> None:
    allocate(tcmalloc)
    scavenge(tcmalloc, 0)
    assert tcmalloc.cache[0].max_size == 2 * STEAL_AMOUNT


def test_free_scavenges_a_cache_above_its_limit(tcmalloc: HeapState) -> None:
    with_list(tcmalloc, 20, 100)
    objects, cache = tcmalloc.free_list[0, CLASS], tcmalloc.cache[0]
    objects.low_water_mark = 6
    tcmalloc.static[0].unclaimed_cache_space = STEAL_AMOUNT
    cache.max_size = cache.size_
    (one,) = allocate(tcmalloc)
    free(tcmalloc, one)
    assert (objects.length, cache.max_size) == (20, 20 * SIZE)  # at the limit, not above it
    cache.max_size = 20 * SIZE - 1
    (one,) = allocate(tcmalloc)
    free(tcmalloc, one)
    assert (objects.length, cache.max_size) == (17, 20 * SIZE - 1 + STEAL_AMOUNT)
