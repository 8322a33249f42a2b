"""The system layer: pages in address order, metadata, release, and their counts."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.raw import load_word, store_word
from allocsim.core.records import HeapState
from allocsim.core.system import (
    count_metadata,
    count_pages,
    release_pages,
    return_pages,
    reuse_pages,
    take_pages,
)
from tests.conftest import PAGE

MIB = 1 << 20


def counts(state: HeapState) -> dict[str, int]:
    """Return every field of the record except the last failure."""
    names = state.system.dtype.names
    return {name: int(state.system[0][name]) for name in names if name != "refusal"}


def test_pages_follow_each_other_from_the_start_of_the_reservation(heap: Heap) -> None:
    lengths = [PAGE, 3 * PAGE, MIB]
    taken = [take_pages(heap.state, length) for length in lengths]
    assert taken == [heap.memory.address + ahead for ahead in (0, PAGE, 4 * PAGE)]


def test_pages_count_as_heap_and_as_footprint(heap: Heap) -> None:
    before = counts(heap.state)
    take_pages(heap.state, 5 * PAGE)
    after = counts(heap.state)
    assert after["heap"] == before["heap"] + 5 * PAGE
    assert after["footprint"] == before["footprint"] + 5 * PAGE


def test_reservation_can_be_used_up_to_the_last_page(small_heap: Heap) -> None:
    length = small_heap.memory.length
    assert take_pages(small_heap.state, length - PAGE) == small_heap.memory.address
    assert take_pages(small_heap.state, PAGE) == small_heap.memory.address + length - PAGE
    assert take_pages(small_heap.state, PAGE) == 0


@pytest.mark.parametrize("length", [4 * MIB + PAGE, 2**40, 2**62], ids=hex)
def test_more_than_is_left_fails_and_changes_nothing(small_heap: Heap, length: int) -> None:
    before = counts(small_heap.state)
    assert take_pages(small_heap.state, length) == 0
    assert small_heap.state.system[0].refusal == Status.OUT_OF_MEMORY
    assert counts(small_heap.state) == before


def test_frozen_heap_obtains_no_pages_and_changes_nothing(heap: Heap) -> None:
    heap.state.system[0].frozen = 1
    before = counts(heap.state)
    assert take_pages(heap.state, PAGE) == 0
    assert heap.state.system[0].refusal == Status.FROZEN
    assert counts(heap.state) == before


def test_pages_whose_addresses_a_design_chooses_count_alike(heap: Heap) -> None:
    before = counts(heap.state)
    assert count_pages(heap.state, 3 * PAGE)
    changed = {name: value + 3 * PAGE for name, value in before.items()}
    kept = {name: before[name] for name in before if name not in ("heap", "footprint")}
    assert counts(heap.state) == changed | kept
    heap.state.system[0].frozen = 1
    assert not count_pages(heap.state, PAGE)
    assert heap.state.system[0].refusal == Status.FROZEN


def test_returned_pages_leave_the_heap_and_memory(heap: Heap) -> None:
    before = counts(heap.state)
    address = take_pages(heap.state, 2 * PAGE)
    store_word(address, 7)
    return_pages(heap.state, address, 2 * PAGE)
    assert load_word(address) == 0
    assert counts(heap.state) == before | {"next": before["next"] + 2 * PAGE}


def test_frozen_heap_counts_no_metadata(heap: Heap) -> None:
    heap.state.system[0].frozen = 1
    before = counts(heap.state)
    assert not count_metadata(heap.state, 16)
    assert heap.state.system[0].refusal == Status.FROZEN
    assert counts(heap.state) == before


def test_metadata_counts_as_metadata_and_as_footprint(heap: Heap) -> None:
    before = counts(heap.state)
    assert count_metadata(heap.state, 100)
    grown = {name: before[name] + 100 for name in ("metadata", "footprint")}
    assert counts(heap.state) == before | grown


def test_released_pages_leave_the_footprint_until_they_are_reused(heap: Heap) -> None:
    address = take_pages(heap.state, 8 * PAGE)
    before = counts(heap.state)
    store_word(address + PAGE, 7)
    release_pages(heap.state, address, 3 * PAGE)
    after = counts(heap.state)
    assert after["released"] == 3 * PAGE
    assert after["footprint"] == before["footprint"] - 3 * PAGE
    assert load_word(address + PAGE) == 0
    reuse_pages(heap.state, 3 * PAGE)
    assert counts(heap.state) == before
