"""Metadata by the chunk: booked with the first record that needs one."""

import pytest

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import (
    ALLOC_INCREMENT,
    METADATA_ALLOC_CHUNK_SIZE,
    allocate_metadata,
    allocate_record,
)
from allocsim.designs.tcmalloc.page_release import new_run
from tests.designs.tcmalloc.lookup import unsound


@pytest.mark.parametrize(("count", "chunks"), [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)])
def test_records_cost_a_chunk_for_each_so_many(
    tcmalloc: HeapState, count: int, chunks: int
) -> None:
    before = tcmalloc.system[0].footprint
    for number in range(1, count + 1):
        allocate_record(tcmalloc, number, 10)
    assert tcmalloc.system[0].footprint - before == chunks * ALLOC_INCREMENT


def test_metadata_is_no_part_of_the_heap(tcmalloc: HeapState) -> None:
    allocate_record(tcmalloc, 1, 10)
    assert tcmalloc.system[0].heap == 0


def test_area_that_is_used_up_leaves_a_hole_in_the_addresses(tcmalloc: HeapState) -> None:
    page_heap, system = tcmalloc.page_heap[0], tcmalloc.system[0]
    first, left = int(system.next), int(page_heap.area_left)
    assert (
        left == METADATA_ALLOC_CHUNK_SIZE - 3 * ALLOC_INCREMENT
    )  # of span records, growths and caches
    allocate_metadata(tcmalloc, left)
    assert (system.next, page_heap.area_left) == (first, 0)
    allocate_metadata(tcmalloc, ALLOC_INCREMENT)
    assert (system.next, page_heap.area_left) == (
        first + METADATA_ALLOC_CHUNK_SIZE,
        METADATA_ALLOC_CHUNK_SIZE - ALLOC_INCREMENT,
    )
    assert (system.heap, system.footprint) == (0, 3 * ALLOC_INCREMENT + left + ALLOC_INCREMENT)


def test_heap_does_not_join_across_a_hole(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    new_run(tcmalloc, 128)
    tcmalloc.page_heap[0].area_left = 0
    allocate_metadata(tcmalloc, ALLOC_INCREMENT)
    span = new_run(tcmalloc, 100)
    assert (
        tcmalloc.span[span].address
        == tcmalloc_heap.memory.address + (1 << 20) + METADATA_ALLOC_CHUNK_SIZE
    )
    assert tcmalloc.system[0].heap == 2 << 20
    assert unsound(tcmalloc_heap) == []


def test_full_reservation_has_no_holes(small_tcmalloc_heap: Heap) -> None:
    state = small_tcmalloc_heap.state
    state.page_heap[0].area_left = 0
    before = int(state.system[0].next)
    allocate_metadata(state, ALLOC_INCREMENT)
    assert state.system[0].next == before
    new_run(state, 512)
    assert unsound(small_tcmalloc_heap) == []
