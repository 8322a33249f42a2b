"""_int_malloc: the places in which it searches for a chunk, and their order."""

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.records import HeapState
from allocsim.designs.glibc.bins import UNSORTED
from allocsim.designs.glibc.check_chunks import Words
from allocsim.designs.glibc.check_lists import listed_in_bin
from allocsim.designs.glibc.stats import top_size
from tests.designs.glibc.conftest import MakeHeap, arenas, free, malloc


def spaced(state: HeapState, count: int, size: int) -> list[int]:
    """Return objects with small ones between them, so that they do not merge."""
    return [malloc(state, size, 24)[0] for _ in range(count)]


def unsorted(heap: Heap) -> list[int]:
    """Return the chunks on the main arena's unsorted list, the newest first."""
    return listed_in_bin(heap.state, Words(heap.memory), 0, UNSORTED)


def fill_top(state: HeapState, thread: int = 0) -> None:
    """Allocate from the top of a thread's arena until 32 bytes are left, the minimum."""
    av = int(state.thread[thread].arena) - 1
    malloc(state, top_size(state, av) - 32 - 8, thread=thread)
    assert top_size(state, av) == 32


def test_fastbin_gives_the_newest_and_moves_others_to_the_cache(glibc: HeapState) -> None:
    objects = spaced(glibc, 12, 100)
    free(glibc, *objects)  # seven into the cache, five into the fastbin
    malloc(glibc, *[100] * 7)
    assert malloc(glibc, 100) == [objects[11]]
    assert int(glibc.arena[0].fast) == 0
    # The other four went to the cache, the newest first, so the cache returns the oldest first.
    assert malloc(glibc, *[100] * 4) == objects[7:11]


def test_small_bin_gives_the_oldest_and_moves_others_to_the_cache(glibc: HeapState) -> None:
    objects = spaced(glibc, 12, 500)
    free(glibc, *objects)
    malloc(glibc, *[500] * 7)
    malloc(glibc, 3000)  # sorts the other five into their small bin
    assert malloc(glibc, 500) == [objects[7]]
    assert (int(glibc.arena[0].binned), int(glibc.arena[0].binned_chunks)) == (0, 0)
    assert malloc(glibc, *[500] * 4) == objects[:7:-1]


def test_chunks_of_the_size_on_the_unsorted_list_fill_the_cache(glibc: HeapState) -> None:
    objects = spaced(glibc, 12, 500)
    free(glibc, *objects)
    malloc(glibc, *[500] * 7)
    # malloc returns the chunk that was cached last, not the one that was found first.
    assert malloc(glibc, *[500] * 5) == objects[:6:-1]
    assert (int(glibc.arena[0].binned), int(glibc.arena[0].binned_chunks)) == (0, 0)


def test_full_cache_lets_the_chunk_found_on_the_unsorted_list_go_out(glibc: HeapState) -> None:
    objects = spaced(glibc, 9, 500)
    free(glibc, *objects)
    assert operations.calloc(glibc, 0, 500) == objects[7]


def test_limit_of_unsorted_chunks_ends_the_search(make_glibc: MakeHeap) -> None:
    for limit, left in ((0, 0), (1, 1), (2, 0)):
        heap = make_glibc(tcache_unsorted_limit=limit)
        state = heap.state
        one = spaced(state, 8, 500)
        others = spaced(state, 3, 2000)
        fill = [one[number] for number in range(7)]
        free(state, *fill, one[7], *others)
        malloc(state, *[500] * 7)
        malloc(state, 500)
        assert len(unsorted(heap)) == left


def test_limit_of_unsorted_chunks_needs_a_cached_chunk(make_glibc: MakeHeap) -> None:
    heap = make_glibc(tcache_unsorted_limit=1)
    free(heap.state, *spaced(heap.state, 3, 2000))
    malloc(heap.state, 3000)
    assert unsorted(heap) == []


def test_limit_of_unsorted_chunks_holds_for_each_call(make_glibc: MakeHeap) -> None:
    heap = make_glibc(tcache_unsorted_limit=2)
    state = heap.state
    one, others = spaced(state, 8, 500), spaced(state, 4, 2000)
    free(state, *others[:2])
    malloc(state, 3000)  # bins two chunks
    free(state, *one, *others[2:])
    malloc(state, *[500] * 7)
    malloc(state, 500)  # caches one chunk, and bins two
    assert unsorted(heap) == []


def test_limit_of_unsorted_chunks_holds_for_both_searches_of_a_call(make_glibc: MakeHeap) -> None:
    heap = make_glibc(tcache_unsorted_limit=2, top_pad=0)
    state = heap.state
    full = malloc(state, *[120] * 7, *[200] * 7)
    row, _ = malloc(state, *[120] * 4), malloc(state, 24)
    small, others = spaced(state, 3, 120), spaced(state, 2, 200)
    fill_top(state)
    free(state, *full, *small, *row, *others)
    # The first search bins `others`. Consolidation makes one chunk of `row`; the second search
    # caches this chunk, and bins one of `small`.
    malloc(state, 504)
    assert unsorted(heap) == [address - 16 for address in small[:2]]


def test_small_requests_are_cut_from_the_last_remainder_in_a_row(glibc: HeapState) -> None:
    big, _ = malloc(glibc, 3000, 24)
    free(glibc, big)
    first, second, third = malloc(glibc, 100, 200, 40)
    assert (first, second - first, third - second) == (big, 112, 208)


def test_only_small_requests_leave_a_last_remainder(glibc: HeapState) -> None:
    big, _ = malloc(glibc, 5000, 24)
    free(glibc, big)
    malloc(glibc, 1100)
    assert int(glibc.arena[0].last_remainder) == 0
    malloc(glibc, 600)
    assert int(glibc.arena[0].last_remainder) == big - 16 + 1120 + 608


def test_chunk_of_1024_bytes_is_not_small(glibc: HeapState) -> None:
    big, _ = malloc(glibc, 5000, 24)
    free(glibc, big)
    malloc(glibc, 1024 - 8)
    assert int(glibc.arena[0].last_remainder) == 0
    malloc(glibc, 1008 - 8)
    assert int(glibc.arena[0].last_remainder) == big - 16 + 1024 + 1008


def test_last_remainder_is_not_preferred_to_other_chunks_on_the_list(glibc: HeapState) -> None:
    big, _, other, _ = malloc(glibc, 3000, 24, 1500, 24)
    free(glibc, big)
    malloc(glibc, 100)  # leaves the last remainder
    free(glibc, other)
    assert malloc(glibc, 200) == [other]


def test_large_request_leaves_the_last_remainder_as_it_was(glibc: HeapState) -> None:
    big, _ = malloc(glibc, 5000, 24)
    free(glibc, big)
    malloc(glibc, 100, 1100)
    assert int(glibc.arena[0].last_remainder) == big - 16 + 112


def test_last_remainder_must_leave_more_than_32_bytes(make_glibc: MakeHeap) -> None:
    state = make_glibc(tcache_count=0).state
    fitting, _, big, _ = malloc(state, 520, 24, 608 + 544 - 8, 24)
    free(state, fitting, big)
    malloc(state, 600)  # leaves a last remainder of 544 bytes
    assert malloc(state, 504) == [fitting]  # a chunk of 512 bytes


def test_last_remainder_may_leave_48_bytes(make_glibc: MakeHeap) -> None:
    state = make_glibc(tcache_count=0).state
    fitting, _, big, _ = malloc(state, 520, 24, 608 + 560 - 8, 24)
    free(state, fitting, big)
    malloc(state, 600)  # leaves a last remainder of 560 bytes
    assert malloc(state, 504) == [big + 608]


def test_rest_of_32_bytes_becomes_a_chunk(glibc: HeapState) -> None:
    big, _ = malloc(glibc, 2000, 24)
    free(glibc, big)
    assert malloc(glibc, 2008 - 32) == [big]
    assert operations.usable_size(glibc, big) == 2008 - 32
    assert int(glibc.arena[0].binned) == 32


def test_rest_too_small_for_a_chunk_stays_in_the_object(glibc: HeapState) -> None:
    big, _ = malloc(glibc, 2000, 24)
    free(glibc, big)
    assert malloc(glibc, 1984) == [big]
    assert operations.usable_size(glibc, big) == 2008


def test_large_request_consolidates_the_fastbins_first(glibc: HeapState) -> None:
    objects = malloc(glibc, *[100] * 30)
    malloc(glibc, 24)
    free(glibc, *objects)
    assert int(glibc.arena[0].fast) == 23 * 112
    assert malloc(glibc, 1100) == [objects[7]]
    assert int(glibc.arena[0].fast) == 0


def test_small_request_consolidates_only_when_top_is_too_small(make_glibc: MakeHeap) -> None:
    state = make_glibc(top_pad=0).state
    objects = malloc(state, *[120] * 25)
    free(state, *objects)
    before = int(state.arena[0].system_mem)
    while int(state.arena[0].fast):
        malloc(state, 900)
        assert int(state.arena[0].system_mem) == before


@pytest.mark.parametrize("thread", [0, 1])
def test_chunk_that_consolidation_makes_is_found(make_glibc: MakeHeap, thread: int) -> None:
    state = make_glibc(tcache_count=0).state
    arenas(state, 0, 1)
    objects = malloc(state, *[120] * 8, 24, thread=thread)[:-1]
    fill_top(state, thread)
    free(state, *objects, thread=thread)
    assert malloc(state, 900, thread=thread) == [objects[0]]


@pytest.mark.slow
def test_one_call_sorts_10000_chunks_at_most(glibc_heap: Heap, glibc: HeapState) -> None:
    objects = malloc(glibc, *[1048] * 20_100)
    free(glibc, *objects[::2])
    arena = glibc.arena[0]
    assert int(arena.binned_chunks) == 10_050
    malloc(glibc, 3000)
    assert len(unsorted(glibc_heap)) == 50


@pytest.mark.slow
def test_second_search_of_a_call_sorts_10000_chunks_too(make_glibc: MakeHeap) -> None:
    heap = make_glibc(tcache_count=0, top_pad=0)
    state = heap.state
    objects = malloc(state, *[200] * 20_100)
    (fast, _) = malloc(state, 100, 24)
    fill_top(state)
    free(state, fast, *objects[::2])
    malloc(state, 1000)
    assert unsorted(heap) == []
