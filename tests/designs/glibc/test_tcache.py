"""The cache of a thread: the chunks that it holds, and when they are allocated again."""

from collections.abc import Callable

import pytest

from allocsim.core import operations
from allocsim.core.raw import load_word
from allocsim.core.records import HeapState
from allocsim.designs.glibc.tcache import TCACHE_KEY
from tests.designs.glibc.conftest import MakeHeap, fill_cache, free, malloc


def test_cache_gives_the_newest_chunk(glibc: HeapState) -> None:
    objects = fill_cache(glibc, 100)
    assert malloc(glibc, *[100] * 7) == objects[::-1]


def test_object_from_the_cache_does_not_contain_the_key(glibc: HeapState) -> None:
    (freed,) = malloc(glibc, 100)
    free(glibc, freed)
    assert load_word(freed + 8) == TCACHE_KEY
    assert malloc(glibc, 100) == [freed]
    assert load_word(freed + 8) == 0


@pytest.mark.parametrize("count", [0, 1, 7, 20])
def test_cache_holds_as_many_chunks_as_tcache_count_says(make_glibc: MakeHeap, count: int) -> None:
    state = make_glibc(tcache_count=count).state
    free(state, *malloc(state, *[2000, 500, 500] * 12))
    index = (512 - 32) // 16
    found, cached = int(state.tcache[index].head), 0
    while cached < count:
        assert malloc(state, 500) == [found]
        found, cached = int(state.tcache[index].head), cached + 1
    assert found == 0


def test_largest_request_that_is_cached_has_1032_bytes(glibc: HeapState) -> None:
    one, other, _ = malloc(glibc, 1032, 1033, 24)
    free(glibc, one, other)
    assert int(glibc.tcache[63].head) == one
    assert int(glibc.arena[0].binned) == 1056


def test_tcache_max_limits_the_sizes(make_glibc: MakeHeap) -> None:
    state = make_glibc(tcache_max=100).state
    free(state, *malloc(state, 104, 105))
    assert int(state.tcache[5].head) != 0
    assert int(state.tcache[6].head) == 0


def test_calloc_and_memalign_do_not_take_from_the_cache(glibc: HeapState) -> None:
    objects = fill_cache(glibc, 100)
    assert operations.calloc(glibc, 0, 100) not in objects
    assert operations.memalign(glibc, 0, 64, 100) not in objects
    assert malloc(glibc, 100) == [objects[-1]]


def test_chunk_goes_to_the_cache_of_the_thread_that_frees_it(glibc: HeapState) -> None:
    (kept,) = malloc(glibc, 100)
    free(glibc, kept, thread=1)
    assert malloc(glibc, 100) != [kept]
    assert malloc(glibc, 100, thread=1) == [kept]


@pytest.mark.parametrize("call", [operations.calloc, operations.malloc])
def test_first_request_makes_the_block_of_the_cache(
    glibc: HeapState, call: Callable[[HeapState, int, int], int]
) -> None:
    assert call(glibc, 0, 8) - int(glibc.thread[0].tcache) == 656


def test_memalign_makes_no_cache_and_free_does(glibc: HeapState) -> None:
    address = operations.memalign(glibc, 0, 64, 100)
    assert int(glibc.thread[0].tcache) == 0
    free(glibc, address)
    assert int(glibc.thread[0].tcache) != 0
    assert malloc(glibc, 100) == [address]
