"""Metadata of go2008: small records cut from chunks of 1 MiB, larger ones mapped by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.designs.go2008.metadata import allocate_metadata
from allocsim.designs.go2008.records import Go2008

MIB = 1 << 20


def counts(state: Go2008) -> dict[str, int]:
    """Return the bytes that the heap has obtained, and the rest of the current chunk."""
    record = state.system[0]
    names = ("heap", "metadata", "released", "footprint")
    return {"chunk_left": int(state.static[0].chunk_left)} | {n: int(record[n]) for n in names}


@pytest.mark.parametrize("length", [16, 4096, 65536])
def test_frozen_heap_obtains_no_metadata(heap: Heap, length: int) -> None:
    allocate_metadata(heap.state, 16)  # the rest of the chunk could hold 16 bytes
    heap.state.system[0].frozen = 1
    before = counts(heap.state)
    assert not allocate_metadata(heap.state, length)
    assert heap.state.system[0].refusal == Status.FROZEN
    assert counts(heap.state) == before


@pytest.mark.parametrize(
    ("length", "cost"),
    [(4096, 4096), (4097, 8192), (8192, 8192), (65536, 65536), (MIB + 1, MIB + 4096)],
)
def test_large_metadata_costs_whole_pages_of_its_own(heap: Heap, length: int, cost: int) -> None:
    before = counts(heap.state)
    assert allocate_metadata(heap.state, length)
    assert counts(heap.state) == before | {
        name: before[name] + cost for name in ("metadata", "footprint")
    }


def test_small_metadata_costs_a_chunk_when_the_last_one_is_full(heap: Heap) -> None:
    before = counts(heap.state)["footprint"]
    for left in (MIB - 4080, MIB - 8160):
        assert allocate_metadata(heap.state, 4080)
        assert counts(heap.state)["chunk_left"] == left
    assert counts(heap.state)["footprint"] == before + MIB


@pytest.mark.parametrize(("length", "rounded"), [(1, 16), (16, 16), (17, 32), (4095, 4096)])
def test_small_metadata_is_rounded_up_to_16_bytes(heap: Heap, length: int, rounded: int) -> None:
    allocate_metadata(heap.state, length)
    assert counts(heap.state)["chunk_left"] == MIB - rounded


def test_chunk_is_abandoned_when_the_next_record_does_not_fit(heap: Heap) -> None:
    heap.state.static[0].chunk_left = 48
    before = counts(heap.state)["footprint"]
    allocate_metadata(heap.state, 48)
    assert counts(heap.state)["footprint"] == before
    allocate_metadata(heap.state, 1)
    assert counts(heap.state)["footprint"] == before + MIB
    assert counts(heap.state)["chunk_left"] == MIB - 16


@given(st.lists(st.one_of(st.integers(1, 4095), st.integers(4096, 3 * MIB)), max_size=60))
def test_metadata_costs_what_a_bump_allocator_would_map(lengths: list[int]) -> None:
    mapped, left = 0, 0
    with Heap(reserve=MIB) as heap:
        before = counts(heap.state)["footprint"]
        for length in lengths:
            allocate_metadata(heap.state, length)
            if length >= 4096:
                mapped += -(-length // 4096) * 4096
                continue
            needed = -(-length // 16) * 16
            if needed > left:
                mapped, left = mapped + MIB, MIB
            left -= needed
        assert counts(heap.state)["footprint"] == before + mapped
