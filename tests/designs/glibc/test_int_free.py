"""_int_free: merging, fastbins, consolidation and trimming."""

import pytest

from allocsim.core import operations
from allocsim.core.records import HeapState
from allocsim.designs.glibc.bins import UNSORTED
from allocsim.designs.glibc.check_chunks import Words
from allocsim.designs.glibc.check_lists import listed_in_bin
from allocsim.designs.glibc.int_free import malloc_consolidate
from tests.designs.glibc.conftest import MakeHeap, free, malloc


def top_of(state: HeapState) -> int:
    """Return the bytes of the main arena's top."""
    return int(state.system[0].next) - int(state.arena[0].top)


def test_freed_neighbours_become_one_chunk(glibc: HeapState) -> None:
    one, two, three, _ = malloc(glibc, 2000, 2000, 2000, 24)
    free(glibc, one, three, two)
    assert int(glibc.arena[0].binned_chunks) == 1
    assert malloc(glibc, 6000) == [one]


def test_chunk_before_top_becomes_part_of_top(glibc: HeapState) -> None:
    one, two = malloc(glibc, 2000, 2000)
    before = top_of(glibc)
    free(glibc, two)
    assert top_of(glibc) == before + 2016
    free(glibc, one)
    assert top_of(glibc) == before + 2 * 2016
    assert int(glibc.arena[0].binned_chunks) == 0


def test_fast_chunk_before_top_stays_in_its_fastbin(make_glibc: MakeHeap) -> None:
    state = make_glibc(tcache_count=0).state
    (one,) = malloc(state, 100)
    free(state, one)
    assert int(state.arena[0].fast) == 112


@pytest.mark.parametrize(("mxfast", "largest"), [(0, 0), (7, 0), (60, 64), (128, 128), (160, 160)])
def test_mxfast_limits_the_fastbins(make_glibc: MakeHeap, mxfast: int, largest: int) -> None:
    state = make_glibc(tcache_count=0, mxfast=mxfast).state
    sizes = range(24, 200, 16)
    objects = [malloc(state, size, 1000)[0] for size in sizes]
    free(state, *objects)
    assert int(state.arena[0].fast) == sum(size + 8 for size in sizes if size + 8 <= largest)


@pytest.mark.parametrize(("size", "fast"), [(65_528, 0), (65_512, 112)])
def test_free_of_64_kib_consolidates_the_fastbins(
    make_glibc: MakeHeap, size: int, fast: int
) -> None:
    state = make_glibc(tcache_count=0).state
    small, _, large, _ = malloc(state, 100, 200, size, 2000)
    free(state, small, large)
    assert int(state.arena[0].fast) == fast


def test_consolidation_starts_with_the_smallest_chunks(make_glibc: MakeHeap) -> None:
    heap = make_glibc(tcache_count=0)
    large, small = (malloc(heap.state, size, 200)[0] for size in (100, 24))
    free(heap.state, large, small)
    malloc_consolidate(heap.state, 0)
    listed = listed_in_bin(heap.state, Words(heap.memory), 0, UNSORTED)
    assert listed == [large - 16, small - 16]  # the chunk merged last is in front


def test_top_of_the_threshold_is_trimmed_to_the_padding(glibc: HeapState) -> None:
    objects = malloc(glibc, *[100_000] * 6)
    free(glibc, *objects[::-1][:2])
    assert int(glibc.counters[0].grows) == 4
    assert 131_120 <= top_of(glibc) <= 135_200
    assert int(glibc.arena[0].system_mem) == int(glibc.system[0].heap)


def test_trim_threshold_is_compared_with_all_of_top(make_glibc: MakeHeap) -> None:
    for threshold, trimmed in ((235_201, False), (235_200, True)):
        state = make_glibc(trim_threshold=threshold).state
        objects = malloc(state, *[100_000] * 3)
        before = int(state.arena[0].system_mem)
        free(state, objects[2], objects[1])
        assert (int(state.arena[0].system_mem) < before) == trimmed


def test_trimmed_pages_are_returned(make_glibc: MakeHeap) -> None:
    heap = make_glibc()
    objects = malloc(heap.state, *[100_000] * 6)
    for address in objects:
        heap.memory.view(address, 100_000)[:] = b"x" * 100_000
    before = heap.resident()
    free(heap.state, *objects[::-1])
    assert heap.resident() < before - 400_000
    assert operations.footprint(heap.state) == int(heap.state.arena[0].system_mem)
