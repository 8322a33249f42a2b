"""Bins: the sizes of each bin, and the order in which its chunks are allocated."""

import numpy as np
import pytest

from allocsim.core.records import HeapState
from allocsim.designs.glibc.bins import BINMAP, FASTBINS, bin_index
from tests.designs.glibc.conftest import MakeHeap, free, malloc

FIRST_SIZES = {
    **{number: 16 * number for number in range(2, 64)},
    **{number: 1024 + 64 * (number - 64) for number in range(64, 97)},
    97: 3136,
    98: 3584,
    112: 10752,
    113: 12288,
    119: 36864,
    120: 40960,
    121: 65536,
    **{number: 3584 + 512 * (number - 98) for number in range(98, 112)},
    **{number: 12288 + 4096 * (number - 113) for number in range(113, 120)},
    122: 98304,
    123: 131072,
    124: 163840,
    125: 262144,
    126: 524288,
}
"""The smallest chunk of each bin, in bytes."""


@pytest.mark.parametrize("index", FIRST_SIZES)
def test_bin_starts_at_its_first_size(index: int) -> None:
    first = FIRST_SIZES[index]
    assert bin_index(first) == index
    assert index == 2 or bin_index(first - 16) == index - 1
    assert sorted(FIRST_SIZES) == list(range(2, 127))


def test_last_bin_has_no_end() -> None:
    assert [bin_index(size) for size in (1 << 20, 1 << 30, 1 << 40)] == [126] * 3


def large(state: HeapState, *sizes: int) -> list[int]:
    """Return objects of these sizes, each followed by a small one."""
    return [malloc(state, size, 24)[0] for size in sizes]


def test_large_bin_gives_the_smallest_chunk_that_fits(glibc: HeapState) -> None:
    objects = large(glibc, 1700, 1660, 1680)
    free(glibc, *objects)
    malloc(glibc, 2000)  # sorts them into their bin
    assert malloc(glibc, 1678, 1656) == [objects[2], objects[1]]


def test_bin_leaves_the_map_with_the_last_chunk_that_malloc_takes(glibc: HeapState) -> None:
    free(glibc, *large(glibc, 2000))
    malloc(glibc, 3000)  # sorts the chunk into its bin
    assert np.bitwise_count(glibc.lists[0, BINMAP:FASTBINS]).sum() == 1
    malloc(glibc, 1200)
    assert not glibc.lists[0, BINMAP:FASTBINS].any()


def test_second_place_of_a_size_is_taken_first_then_the_leader(glibc: HeapState) -> None:
    objects = large(glibc, *[2000] * 4)
    free(glibc, *objects)
    malloc(glibc, 3000)
    leader, *others = objects
    assert malloc(glibc, *[2000] * 4) == [*reversed(others), leader]


@pytest.mark.parametrize("size", [24, 40, 1016, 1032])
def test_data_of_freed_objects_is_not_taken_for_links(make_glibc: MakeHeap, size: int) -> None:
    heap = make_glibc(tcache_count=0, mxfast=0)
    objects = large(heap.state, *[size] * 3)
    for address in objects:
        heap.memory.view(address, size)[:] = b"x" * size
    free(heap.state, *objects)
    malloc(heap.state, 3000)  # sorts them into their bin
    assert heap.check() == []


def test_search_of_larger_bins_takes_the_last_place_of_a_size(glibc: HeapState) -> None:
    objects = large(glibc, *[2000] * 3)
    free(glibc, *objects)
    malloc(glibc, 3000)
    assert malloc(glibc, 1900) == [objects[1]]


def test_bin_that_ran_empty_is_passed_over(glibc: HeapState) -> None:
    small, larger = large(glibc, 1500, 5000)
    free(glibc, small, larger)
    malloc(glibc, 6000)
    assert malloc(glibc, 1500) == [small]
    assert malloc(glibc, 1400) == [larger]
