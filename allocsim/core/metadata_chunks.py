"""Metadata by the chunk: what the records of a heap cost, obtained 128 KiB at a time.

Above the records; below the stages whose records are booked here (gperftools' PageHeapAllocator).
Records are used again, so what counts is the most there ever were of a kind. Its one rule: a
chunk is booked with the first record that needs it, never given back.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState

CHUNK = 128 << 10
"""Bytes of metadata obtained at a time for one kind of record."""


@kernel
def book_record(heap: HeapState, count: int, per_chunk: int) -> None:
    """Book the record with which there are `count`, if it is the first of a chunk."""
    if count % per_chunk == 1:
        heap.system[0].footprint += CHUNK
