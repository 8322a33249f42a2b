"""Each kind of record has its own chunks, cut from larger areas; a frozen heap gets no metadata."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import (
    ALLOC_INCREMENT,
    METADATA_ALLOC_CHUNK_SIZE,
    allocate_metadata,
    allocate_record,
    chunks_for,
)
from allocsim.designs.tcmalloc.page_release import new_run
from allocsim.designs.tcmalloc.span import LIST_HEADS, RESERVED_SPANS, SPANS_PER_CHUNK
from tests.designs.tcmalloc.lookup import unsound


@pytest.mark.parametrize(("count", "chunks"), [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)])
def test_records_cost_whole_chunks(tcmalloc: HeapState, count: int, chunks: int) -> None:
    before = tcmalloc.system[0].footprint
    for number in range(1, count + 1):
        assert allocate_record(tcmalloc, number, 10)
    assert tcmalloc.system[0].footprint - before == chunks * ALLOC_INCREMENT
    assert chunks_for(count, 10) == chunks


def test_metadata_is_not_part_of_the_heap(tcmalloc: HeapState) -> None:
    allocate_record(tcmalloc, 1, 10)
    assert tcmalloc.system[0].heap == 0


def test_full_area_leaves_a_gap_in_the_addresses(tcmalloc: HeapState) -> None:
    page_heap, system = tcmalloc.page_heap[0], tcmalloc.system[0]
    first, left = int(system.next), int(page_heap.area_left)
    start = 3 * ALLOC_INCREMENT  # chunks of span records, growths and caches
    assert left == METADATA_ALLOC_CHUNK_SIZE - start
    assert allocate_metadata(tcmalloc, left)
    assert (system.next, page_heap.area_left) == (first, 0)
    assert allocate_metadata(tcmalloc, ALLOC_INCREMENT)
    assert system.next == first + METADATA_ALLOC_CHUNK_SIZE
    assert page_heap.area_left == METADATA_ALLOC_CHUNK_SIZE - ALLOC_INCREMENT
    assert (system.heap, system.footprint) == (0, start + left + ALLOC_INCREMENT)


@pytest.mark.parametrize("left", [0, ALLOC_INCREMENT])
def test_frozen_heap_gets_no_chunk(tcmalloc: HeapState, left: int) -> None:
    tcmalloc.page_heap[0].area_left = left
    tcmalloc.system[0].frozen = 1
    before = [tcmalloc.system[0].next, tcmalloc.system[0].metadata, left]
    assert not allocate_metadata(tcmalloc, ALLOC_INCREMENT)
    assert not allocate_record(tcmalloc, 11, 10)
    assert allocate_record(tcmalloc, 10, 10)
    assert tcmalloc.system[0].refusal == Status.FROZEN
    after = [tcmalloc.system[0].next, tcmalloc.system[0].metadata, tcmalloc.page_heap[0].area_left]
    assert after == before


def use_up(state: HeapState) -> None:
    """Use up metadata so that the next span record needs a new chunk, and the chunk a new area."""
    used = int(state.page_heap[0].last_span) - LIST_HEADS + RESERVED_SPANS
    state.page_heap[0].last_span += -used % SPANS_PER_CHUNK
    state.page_heap[0].area_left = 0


def test_spans_do_not_coalesce_across_a_gap(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    new_run(tcmalloc, 128)
    use_up(tcmalloc)
    new_run(tcmalloc, 100)
    span = new_run(tcmalloc, 100)
    end = tcmalloc_heap.memory.address + (2 << 20)
    assert tcmalloc.span[span].address == end + METADATA_ALLOC_CHUNK_SIZE
    assert tcmalloc.system[0].heap == 3 << 20
    assert unsound(tcmalloc_heap) == []


def test_full_reservation_has_no_gaps(small_tcmalloc_heap: Heap) -> None:
    state = small_tcmalloc_heap.state
    state.page_heap[0].area_left = 0
    before = int(state.system[0].next)
    new_run(state, 512)  # needs a leaf of the page map
    assert state.system[0].next == before + (4 << 20)
    assert unsound(small_tcmalloc_heap) == []
