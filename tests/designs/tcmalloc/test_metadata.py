"""Metadata by the chunk: booked with the first record that needs one."""

import pytest

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import AREA, CHUNK, book_metadata, book_record
from allocsim.designs.tcmalloc.page_release import new_run
from tests.designs.tcmalloc.lookup import unsound


@pytest.mark.parametrize(("count", "chunks"), [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)])
def test_records_cost_a_chunk_for_each_so_many(
    tcmalloc: HeapState, count: int, chunks: int
) -> None:
    before = tcmalloc.system[0].footprint
    for number in range(1, count + 1):
        book_record(tcmalloc, number, 10)
    assert tcmalloc.system[0].footprint - before == chunks * CHUNK


def test_metadata_is_no_part_of_the_heap(tcmalloc: HeapState) -> None:
    book_record(tcmalloc, 1, 10)
    assert tcmalloc.system[0].heap == 0


def test_area_that_is_used_up_leaves_a_hole_in_the_addresses(tcmalloc: HeapState) -> None:
    page_heap, system = tcmalloc.page_heap[0], tcmalloc.system[0]
    first, left = int(system.next), int(page_heap.area_left)
    assert left == AREA - 3 * CHUNK  # of span records, growths and caches
    book_metadata(tcmalloc, left)
    assert (system.next, page_heap.area_left) == (first, 0)
    book_metadata(tcmalloc, CHUNK)
    assert (system.next, page_heap.area_left) == (first + AREA, AREA - CHUNK)
    assert (system.heap, system.footprint) == (0, 3 * CHUNK + left + CHUNK)


def test_heap_does_not_join_across_a_hole(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    new_run(tcmalloc, 128)
    tcmalloc.page_heap[0].area_left = 0
    book_metadata(tcmalloc, CHUNK)
    span = new_run(tcmalloc, 100)
    assert tcmalloc.span[span].address == tcmalloc_heap.memory.address + (1 << 20) + AREA
    assert tcmalloc.system[0].heap == 2 << 20
    assert unsound(tcmalloc_heap) == []


def test_full_reservation_has_no_holes(small_tcmalloc_heap: Heap) -> None:
    state = small_tcmalloc_heap.state
    state.page_heap[0].area_left = 0
    before = int(state.system[0].next)
    book_metadata(state, CHUNK)
    assert state.system[0].next == before
    new_run(state, 512)
    assert unsound(small_tcmalloc_heap) == []
