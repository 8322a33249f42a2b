"""The budget of all caches: claimed in steps, taken from others in turn, and never lost."""

import pytest

from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import CHUNK
from allocsim.designs.tcmalloc.thread_cache import (
    CACHES_PER_CHUNK,
    LEAST,
    LOOKED,
    STEP,
    begin_cache,
    end_cache,
    raise_limit,
)

TOTAL = 32 << 20


def most(state: HeapState, *threads: int) -> list[int]:
    """What caches may hold, in steps."""
    return [int(state.cache[thread].most) // STEP for thread in threads]


def begin(state: HeapState, count: int) -> None:
    """Caches for threads 0 to `count`."""
    for thread in range(count):
        begin_cache(state, thread)


def listed(state: HeapState) -> list[int]:
    """The threads that have a cache, the newest first; both directions of the list agree."""
    found, place, before = [], int(state.budget[0].first), 0
    while place:
        assert state.cache[place - 1].previous == before
        found.append(place - 1)
        before, place = place, int(state.cache[place - 1].next)
    assert state.budget[0].caches == len(found)
    assert {thread for thread in range(40) if state.cache[thread].alive} == set(found)
    return found


def spend(state: HeapState, left: int = 0) -> None:
    """Leave so many bytes unclaimed; the rest is what the first cache may hold."""
    budget = state.budget[0]
    state.cache[0].most += budget.unclaimed - left
    budget.unclaimed = left


def balanced(state: HeapState) -> bool:
    """Whether what is unclaimed and what caches may hold is the total."""
    return bool(state.cache.most[:40].sum() + state.budget[0].unclaimed == state.budget[0].total)


def test_new_cache_claims_a_step_and_has_empty_lists(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 1)
    assert tcmalloc.budget[0].unclaimed == TOTAL - STEP
    assert most(tcmalloc, 0) == [1]
    lists = tcmalloc.object_list[0]
    assert (set(lists.most.tolist()), set(lists.length.tolist())) == ({1}, {0})
    assert lists.object_size.tolist() == tcmalloc.size_class.object_size.tolist()


def test_newest_cache_is_the_first_of_the_list(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 3)
    assert listed(tcmalloc) == [2, 1, 0]
    assert tcmalloc.budget[0].victim == 1


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_cache_that_ends_leaves_the_list_and_gives_back_what_it_could_hold(
    tcmalloc: HeapState, gone: int
) -> None:
    begin(tcmalloc, 3)
    raise_limit(tcmalloc, gone)
    end_cache(tcmalloc, gone)
    assert listed(tcmalloc) == [thread for thread in (2, 1, 0) if thread != gone]
    assert tcmalloc.budget[0].unclaimed == TOTAL - 2 * STEP
    assert (tcmalloc.cache[gone].most, tcmalloc.object_list[gone].most.max()) == (0, 0)
    begin_cache(tcmalloc, gone)
    assert listed(tcmalloc)[0] == gone


def test_last_cache_that_ends_leaves_nobody_to_take_from(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 1)
    end_cache(tcmalloc, 0)
    assert (listed(tcmalloc), tcmalloc.budget[0].victim) == ([], 0)
    assert tcmalloc.budget[0].unclaimed == TOTAL
    begin_cache(tcmalloc, 5)
    assert (listed(tcmalloc), tcmalloc.budget[0].victim) == ([5], 6)


@pytest.mark.parametrize(("gone", "victim"), [(2, 1), (1, 0), (0, 2)])
def test_turn_passes_on_when_its_cache_ends(tcmalloc: HeapState, gone: int, victim: int) -> None:
    begin(tcmalloc, 3)
    tcmalloc.budget[0].victim = gone + 1
    end_cache(tcmalloc, gone)
    assert tcmalloc.budget[0].victim == victim + 1


def test_limit_is_raised_by_a_step_while_anything_is_unclaimed(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 2)
    spend(tcmalloc, 1)
    raise_limit(tcmalloc, 1)
    assert most(tcmalloc, 1) == [2]
    assert tcmalloc.budget[0].unclaimed == 1 - STEP
    assert balanced(tcmalloc)


def test_new_cache_takes_a_step_from_another_when_all_is_claimed(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 1)
    spend(tcmalloc)
    begin_cache(tcmalloc, 1)
    assert most(tcmalloc, 0, 1) == [TOTAL // STEP - 1, 1]
    assert tcmalloc.budget[0].unclaimed == 0


def test_new_cache_gets_its_least_though_nothing_is_left(tcmalloc: HeapState) -> None:
    tcmalloc.budget[0].total = tcmalloc.budget[0].unclaimed = LEAST
    begin(tcmalloc, 1)
    spend(tcmalloc)
    begin_cache(tcmalloc, 1)
    assert tcmalloc.cache[1].most == LEAST
    assert tcmalloc.budget[0].unclaimed == -LEAST
    assert balanced(tcmalloc)


def test_nothing_is_taken_from_a_cache_at_its_least(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 2)
    tcmalloc.budget[0].unclaimed = 0
    tcmalloc.cache[0].most = LEAST
    raise_limit(tcmalloc, 1)
    assert most(tcmalloc, 0, 1) == [LEAST // STEP, 1]
    tcmalloc.cache[0].most = LEAST + 1
    raise_limit(tcmalloc, 1)
    assert (tcmalloc.cache[0].most, most(tcmalloc, 1)) == (LEAST + 1 - STEP, [2])


def test_caches_are_taken_from_in_turn_and_never_from_oneself(tcmalloc: HeapState) -> None:
    begin(tcmalloc, 4)
    tcmalloc.budget[0].unclaimed = 0
    for thread in range(4):
        tcmalloc.cache[thread].most = 20 * STEP
    found = []
    for _ in range(5):
        raise_limit(tcmalloc, 2)
        found.append(most(tcmalloc, 0, 1, 3))
    # The turn begins at the oldest, goes on to the newest, and passes thread 2 by.
    assert found == [[19, 20, 20], [19, 20, 19], [19, 19, 19], [18, 19, 19], [18, 19, 18]]
    assert most(tcmalloc, 2) == [25]


def test_a_few_caches_are_looked_at_and_then_none_gives(tcmalloc: HeapState) -> None:
    begin(tcmalloc, LOOKED + 1)
    tcmalloc.budget[0].unclaimed = 0
    tcmalloc.cache[1].most = 20 * STEP
    tcmalloc.budget[0].victim = 1  # then comes the newest, and thread 1 last of all
    raise_limit(tcmalloc, 3)
    assert most(tcmalloc, 1, 3) == [20, 1]
    raise_limit(tcmalloc, 3)
    assert most(tcmalloc, 1, 3) == [19, 2]


def test_many_caches_cost_a_chunk_of_metadata(tcmalloc: HeapState) -> None:
    before = int(tcmalloc.system[0].footprint)
    begin(tcmalloc, CACHES_PER_CHUNK)
    assert tcmalloc.system[0].footprint == before
    begin_cache(tcmalloc, CACHES_PER_CHUNK)
    assert tcmalloc.system[0].footprint == before + CHUNK
    end_cache(tcmalloc, 0)
    begin_cache(tcmalloc, 0)
    assert tcmalloc.system[0].footprint == before + CHUNK
    assert tcmalloc.budget[0].most_caches == CACHES_PER_CHUNK + 1
