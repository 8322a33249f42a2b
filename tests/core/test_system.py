"""The trivial allocator: pages in order, metadata booked by the chunk, nothing when frozen."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.core.system import take_pages
from allocsim.designs.go2008.metadata import take_metadata
from tests.conftest import PAGE

MIB = 1 << 20


def booked(state: HeapState) -> dict[str, int]:
    """All that the trivial allocator keeps, but the word on the last refusal."""
    names = state.system.dtype.names
    return {name: int(state.system[0][name]) for name in names if name != "refusal"}


def test_pages_follow_each_other_from_the_start_of_the_reservation(heap: Heap) -> None:
    lengths = [PAGE, 3 * PAGE, MIB]
    taken = [take_pages(heap.state, length) for length in lengths]
    assert taken == [heap.memory.address + ahead for ahead in (0, PAGE, 4 * PAGE)]


def test_pages_count_as_heap_and_as_footprint(heap: Heap) -> None:
    before = booked(heap.state)
    take_pages(heap.state, 5 * PAGE)
    after = booked(heap.state)
    assert after["heap"] == before["heap"] + 5 * PAGE
    assert after["footprint"] == before["footprint"] + 5 * PAGE


def test_reservation_can_be_used_up_to_the_last_page(small_heap: Heap) -> None:
    length = small_heap.memory.length
    assert take_pages(small_heap.state, length - PAGE) == small_heap.memory.address
    assert take_pages(small_heap.state, PAGE) == small_heap.memory.address + length - PAGE
    assert take_pages(small_heap.state, PAGE) == 0


@pytest.mark.parametrize("length", [4 * MIB + PAGE, 2**40, 2**62], ids=hex)
def test_more_than_is_left_is_refused_and_changes_nothing(small_heap: Heap, length: int) -> None:
    before = booked(small_heap.state)
    assert take_pages(small_heap.state, length) == 0
    assert small_heap.state.system[0].refusal == Status.OUT_OF_MEMORY
    assert booked(small_heap.state) == before


@pytest.mark.parametrize("take", [take_pages, take_metadata], ids=["pages", "metadata"])
def test_frozen_refuses_and_changes_nothing(
    heap: Heap, take: Callable[[HeapState, int], int]
) -> None:
    heap.state.system[0].frozen = 1
    before = booked(heap.state)
    assert not take(heap.state, PAGE)
    assert heap.state.system[0].refusal == Status.FROZEN
    assert booked(heap.state) == before


def test_frozen_refuses_metadata_that_the_open_chunk_could_hold(heap: Heap) -> None:
    assert take_metadata(heap.state, 16)
    heap.state.system[0].frozen = 1
    assert not take_metadata(heap.state, 16)


@pytest.mark.parametrize(
    ("length", "cost"),
    [(4096, 4096), (4097, 8192), (8192, 8192), (65536, 65536), (MIB + 1, MIB + 4096)],
)
def test_large_metadata_costs_whole_pages_of_its_own(heap: Heap, length: int, cost: int) -> None:
    before = booked(heap.state)
    assert take_metadata(heap.state, length)
    assert booked(heap.state) == before | {
        name: before[name] + cost for name in ("metadata", "footprint")
    }


def test_small_metadata_costs_a_chunk_when_the_last_one_is_full(heap: Heap) -> None:
    before = booked(heap.state)["footprint"]
    for left in (MIB - 4080, MIB - 8160):
        assert take_metadata(heap.state, 4080)
        assert booked(heap.state)["chunk_left"] == left
    assert booked(heap.state)["footprint"] == before + MIB


@pytest.mark.parametrize(("length", "rounded"), [(1, 16), (16, 16), (17, 32), (4095, 4096)])
def test_small_metadata_is_rounded_up_to_16_bytes(heap: Heap, length: int, rounded: int) -> None:
    take_metadata(heap.state, length)
    assert booked(heap.state)["chunk_left"] == MIB - rounded


def test_chunk_is_left_when_it_is_too_short_and_not_before(heap: Heap) -> None:
    heap.state.system[0].chunk_left = 48
    before = booked(heap.state)["footprint"]
    take_metadata(heap.state, 48)
    assert booked(heap.state)["footprint"] == before
    take_metadata(heap.state, 1)
    assert booked(heap.state)["footprint"] == before + MIB
    assert booked(heap.state)["chunk_left"] == MIB - 16


@given(st.lists(st.one_of(st.integers(1, 4095), st.integers(4096, 3 * MIB)), max_size=60))
def test_metadata_costs_what_a_bump_allocator_would_map(lengths: list[int]) -> None:
    mapped, left = 0, 0
    with Heap(reserve=MIB) as heap:
        before = booked(heap.state)["footprint"]
        for length in lengths:
            take_metadata(heap.state, length)
            if length >= 4096:
                mapped += -(-length // 4096) * 4096
                continue
            needed = -(-length // 16) * 16
            if needed > left:
                mapped, left = mapped + MIB, MIB
            left -= needed
        assert booked(heap.state)["footprint"] == before + mapped
