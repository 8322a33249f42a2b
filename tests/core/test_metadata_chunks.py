"""Metadata by the chunk: booked with the first record that needs one."""

import pytest

from allocsim.core.metadata_chunks import CHUNK, book_record
from allocsim.core.records import HeapState


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
