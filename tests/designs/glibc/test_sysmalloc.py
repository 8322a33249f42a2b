"""sysmalloc: growth, mappings of their own and the thresholds."""

import pytest

from allocsim.core import operations
from allocsim.core.records import HeapState
from tests.designs.glibc.conftest import MakeHeap, free, malloc


def test_first_growth_is_the_request_and_the_padding_in_pages(glibc: HeapState) -> None:
    malloc(glibc, 1)
    assert int(glibc.arena[0].system_mem) == 135_168


def test_growth_counts_what_top_has(glibc: HeapState) -> None:
    malloc(glibc, 100_000)
    before, top = int(glibc.arena[0].system_mem), int(glibc.arena[0].top)
    free_bytes = int(glibc.system[0].next) - top
    malloc(glibc, 120_000)
    grown = int(glibc.arena[0].system_mem) - before
    assert grown == (120_016 + 131_072 + 32 - free_bytes + 4095) // 4096 * 4096


@pytest.mark.parametrize(("size", "mapped"), [(131_048, False), (131_049, True)])
def test_chunk_of_the_threshold_gets_a_mapping(glibc: HeapState, size: int, mapped: bool) -> None:
    malloc(glibc, 10_000, size)  # the first object leaves too little memory in top
    assert int(glibc.mp_[0].n_mmaps) == mapped
    assert int(glibc.mp_[0].mmapped_mem) == 135_168 * mapped


def test_free_chunk_is_preferred_to_a_mapping(make_glibc: MakeHeap) -> None:
    state = make_glibc(mmap_threshold=100_000, trim_threshold=1 << 30).state
    one, other = malloc(state, 90_000, 90_000)
    malloc(state, 24)
    free(state, one, other)
    assert malloc(state, 150_000) == [one]


def test_freed_mapping_raises_both_thresholds(glibc: HeapState) -> None:
    free(glibc, *malloc(glibc, 1 << 20))
    mp = glibc.mp_[0]
    assert (int(mp.mmap_threshold), int(mp.trim_threshold)) == (1_052_672, 2 * 1_052_672)
    malloc(glibc, 1 << 20)
    assert int(mp.n_mmaps) == 0


@pytest.mark.parametrize(("length", "threshold"), [(32 << 20, 131_072), ((32 << 20) - 4096, None)])
def test_mapping_of_32_mib_is_too_large_to_raise_them(
    glibc: HeapState, length: int, threshold: int | None
) -> None:
    free(glibc, *malloc(glibc, length - 24))
    assert int(glibc.mp_[0].mmap_threshold) == (threshold or length)


def test_freed_mapping_as_large_as_the_threshold_raises_trim_threshold(glibc: HeapState) -> None:
    # The flag IS_MMAPPED makes the size that is compared larger than the threshold.
    (address,) = malloc(glibc, 1 << 20)
    free(glibc, operations.realloc(glibc, 0, address, 131_040))
    mp = glibc.mp_[0]
    assert (int(mp.mmap_threshold), int(mp.trim_threshold)) == (131_072, 262_144)


@pytest.mark.parametrize(
    "setting", [{"top_pad": 0}, {"mmap_max": 9}, {"trim_threshold": 1}, {"no_dyn_threshold": 1}]
)
def test_any_set_threshold_keeps_them_fixed(make_glibc: MakeHeap, setting: dict[str, int]) -> None:
    state = make_glibc(**setting).state
    free(state, *malloc(state, 1 << 20))
    assert int(state.mp_[0].mmap_threshold) == 131_072


def test_requests_beyond_the_maximum_of_mappings_use_the_arena(make_glibc: MakeHeap) -> None:
    state = make_glibc(mmap_max=2).state
    malloc(state, *[1 << 20] * 3)
    assert int(state.mp_[0].n_mmaps) == 2
    assert int(state.arena[0].system_mem) > 1 << 20


def test_freed_mapping_leaves_the_heap(make_glibc: MakeHeap) -> None:
    heap = make_glibc()
    (address,) = malloc(heap.state, 1 << 20)
    heap.memory.view(address, 1 << 20)[:] = b"x" * (1 << 20)
    assert heap.resident() >= 1 << 20
    free(heap.state, address)
    assert heap.resident() < 1 << 16
    assert operations.footprint(heap.state) == 135_168
