"""Metadata by the chunk: what the records of a heap cost, and where its memory comes from.

Above the records; below the stages whose records are booked here. Records of a kind are obtained
128 KiB at a time (gperftools' PageHeapAllocator), used again and never given back, so what counts
is the most there ever were. All of it is cut from areas of 8 MiB that come from the same end of
the address space as the heap's pages (src/common.cc). Its one rule: a new area leaves a hole in
the addresses of the heap, so what is obtained behind it cannot join what lay before.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState

CHUNK = 128 << 10
"""Bytes of metadata obtained at a time for one kind of record."""

AREA = 8 << 20
"""Bytes obtained from the operating system at a time for metadata."""


@kernel
def book_record(heap: HeapState, count: int, per_chunk: int) -> None:
    """Book the record with which there are `count`, if it is the first of a chunk."""
    if count % per_chunk == 1:
        book_metadata(heap, CHUNK)


@kernel
def book_metadata(heap: HeapState, length: int) -> None:
    """Book `length` bytes of metadata, from a new area if the last one has not so much left."""
    page_heap, system = heap.page_heap[0], heap.system[0]
    system.metadata += length
    system.footprint += length
    if page_heap.area_left < length:
        page_heap.area_left = AREA
        if system.limit - system.next >= AREA:
            system.next += AREA
    page_heap.area_left -= length
