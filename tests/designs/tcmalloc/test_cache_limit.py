"""The limit that thread caches share: caches claim parts of it, and steal from each other."""

import pytest

from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.cache_limit import (
    CACHES_PER_CHUNK,
    MAX_PROBES,
    MIN_THREAD_CACHE_SIZE,
    STEAL_AMOUNT,
    increase_cache_limit,
    new_cache,
    unlink_cache,
)
from allocsim.designs.tcmalloc.metadata import ALLOC_INCREMENT

TOTAL = 32 << 20


def limits(state: HeapState, *threads: int) -> list[int]:
    """Return the max_size of caches, in units of STEAL_AMOUNT."""
    return [int(state.cache[thread].max_size) // STEAL_AMOUNT for thread in threads]


def begin(state: HeapState, count: int) -> None:
    """Create caches for threads 0 to `count` - 1."""
    for thread in range(count):
        new_cache(state, thread)


def listed(state: HeapState) -> list[int]:
    """Return the threads that have a cache, newest first; check the links in both directions."""
    found, place, before = [], int(state.static[0].thread_heaps), 0
    while place:
        assert state.cache[place - 1].previous == before
        found.append(place - 1)
        before, place = place, int(state.cache[place - 1].next)
    assert state.static[0].thread_heap_count == len(found)
    assert {thread for thread in range(40) if state.cache[thread].alive} == set(found)
    return found


def spend(state: HeapState, left: int = 0) -> None:
    """Leave `left` bytes unclaimed; the first cache claims the rest."""
    static = state.static[0]
    state.cache[0].max_size += static.unclaimed_cache_space - left
    static.unclaimed_cache_space = left


def balanced(state: HeapState) -> bool:
    """Return whether unclaimed bytes and the caches' limits sum to the total."""
    return bool(
        state.cache.max_size[:40].sum() + state.static[0].unclaimed_cache_space
        == state.static[0].overall_thread_cache_size
    )


def test_new_cache_claims_the_steal_amount_and_has_empty_lists(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 1)
    assert tcmalloc.static[0].unclaimed_cache_space == TOTAL - STEAL_AMOUNT
    assert limits(tcmalloc, 0) == [1]
    lists = tcmalloc.free_list[0]
    assert (set(lists.max_length.tolist()), set(lists.length.tolist())) == ({1}, {0})
    assert lists.object_size.tolist() == tcmalloc.size_class.object_size.tolist()


def test_newest_cache_is_the_first_of_the_list(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 3)
    assert listed(tcmalloc) == [2, 1, 0]
    assert tcmalloc.static[0].next_memory_steal == 1


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_deleted_cache_is_unlisted_and_its_limit_unclaimed(tcmalloc: HeapState, gone: int) -> None:
    begin(tcmalloc, 3)
    increase_cache_limit(tcmalloc, gone)
    unlink_cache(tcmalloc, gone)
    assert listed(tcmalloc) == [thread for thread in (2, 1, 0) if thread != gone]
    assert tcmalloc.static[0].unclaimed_cache_space == TOTAL - 2 * STEAL_AMOUNT
    assert (tcmalloc.cache[gone].max_size, tcmalloc.free_list[gone].max_length.max()) == (0, 0)
    new_cache(tcmalloc, gone)
    assert listed(tcmalloc)[0] == gone


def test_last_deleted_cache_leaves_none_to_steal_from(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 1)
    unlink_cache(tcmalloc, 0)
    assert (listed(tcmalloc), tcmalloc.static[0].next_memory_steal) == ([], 0)
    assert tcmalloc.static[0].unclaimed_cache_space == TOTAL
    new_cache(tcmalloc, 5)
    assert (listed(tcmalloc), tcmalloc.static[0].next_memory_steal) == ([5], 6)


@pytest.mark.parametrize(("gone", "victim"), [(2, 1), (1, 0), (0, 2)])
def test_turn_passes_on_when_its_cache_is_deleted(
    tcmalloc: HeapState, gone: int, victim: int
) -> None:
    begin(tcmalloc, 3)
    tcmalloc.static[0].next_memory_steal = gone + 1
    unlink_cache(tcmalloc, gone)
    assert tcmalloc.static[0].next_memory_steal == victim + 1


def test_limit_is_raised_while_anything_is_unclaimed(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 2)
    spend(tcmalloc, 1)
    increase_cache_limit(tcmalloc, 1)
    assert limits(tcmalloc, 1) == [2]
    assert tcmalloc.static[0].unclaimed_cache_space == 1 - STEAL_AMOUNT
    assert balanced(tcmalloc)


def test_new_cache_steals_when_all_is_claimed(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 1)
    spend(tcmalloc)
    new_cache(tcmalloc, 1)
    assert limits(tcmalloc, 0, 1) == [TOTAL // STEAL_AMOUNT - 1, 1]
    assert tcmalloc.static[0].unclaimed_cache_space == 0


def test_new_cache_gets_the_minimum_though_nothing_is_left(tcmalloc: HeapState) -> None:
    tcmalloc.static[0].overall_thread_cache_size = tcmalloc.static[0].unclaimed_cache_space = (
        MIN_THREAD_CACHE_SIZE
    )
    begin(tcmalloc, 1)
    spend(tcmalloc)
    new_cache(tcmalloc, 1)
    assert tcmalloc.cache[1].max_size == MIN_THREAD_CACHE_SIZE
    assert tcmalloc.static[0].unclaimed_cache_space == -MIN_THREAD_CACHE_SIZE
    assert balanced(tcmalloc)


def test_cache_at_the_minimum_is_not_stolen_from(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 2)
    tcmalloc.static[0].unclaimed_cache_space = 0
    tcmalloc.cache[0].max_size = MIN_THREAD_CACHE_SIZE
    increase_cache_limit(tcmalloc, 1)
    assert limits(tcmalloc, 0, 1) == [MIN_THREAD_CACHE_SIZE // STEAL_AMOUNT, 1]
    tcmalloc.cache[0].max_size = MIN_THREAD_CACHE_SIZE + 1
    increase_cache_limit(tcmalloc, 1)
    assert (tcmalloc.cache[0].max_size, limits(tcmalloc, 1)) == (
        MIN_THREAD_CACHE_SIZE + 1 - STEAL_AMOUNT,
        [2],
    )


def test_caches_are_stolen_from_in_turn_and_never_from_themselves(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 4)
    tcmalloc.static[0].unclaimed_cache_space = 0
    for thread in range(4):
        tcmalloc.cache[thread].max_size = 20 * STEAL_AMOUNT
    found = []
    for _ in range(5):
        increase_cache_limit(tcmalloc, 2)
        found.append(limits(tcmalloc, 0, 1, 3))
    # Thread 2 steals from threads 0 (the oldest), 3 (the newest), 1, 0 and 3, in this order.
    assert found == [[19, 20, 20], [19, 20, 19], [19, 19, 19], [18, 19, 19], [18, 19, 18]]
    assert limits(tcmalloc, 2) == [25]


def test_steal_gives_up_after_ten_caches(tcmalloc: HeapState) -> None:
    begin(tcmalloc, MAX_PROBES + 1)
    tcmalloc.static[0].unclaimed_cache_space = 0
    tcmalloc.cache[1].max_size = 20 * STEAL_AMOUNT
    # The search begins at thread 0, and goes on from the newest thread down to thread 1.
    tcmalloc.static[0].next_memory_steal = 1
    increase_cache_limit(tcmalloc, 3)
    assert limits(tcmalloc, 1, 3) == [20, 1]
    increase_cache_limit(tcmalloc, 3)
    assert limits(tcmalloc, 1, 3) == [19, 2]


def test_many_caches_cost_a_chunk_of_metadata(tcmalloc: HeapState) -> None:
    before = int(tcmalloc.system[0].footprint)
    begin(tcmalloc, CACHES_PER_CHUNK)
    assert tcmalloc.system[0].footprint == before
    new_cache(tcmalloc, CACHES_PER_CHUNK)
    assert tcmalloc.system[0].footprint == before + ALLOC_INCREMENT
    unlink_cache(tcmalloc, 0)
    new_cache(tcmalloc, 0)
    assert tcmalloc.system[0].footprint == before + ALLOC_INCREMENT
    assert tcmalloc.static[0].max_thread_heap_count == CACHES_PER_CHUNK + 1
