"""Metadata accounting: what the library's records cost, and where their memory comes from.

The records themselves are in tables of their own; this module only counts their bytes. For each
kind of record the library obtains memory in 128 KiB chunks (PageHeapAllocator). It reuses freed
records but never releases a chunk, so the accounted size is the high-water mark. Chunks come from
8 MiB areas in the heap's address range (src/common.cc): each new area leaves a gap across which
spans cannot coalesce.

A frozen heap, whose requests for memory all fail, cannot obtain metadata. So callers allocate a
record before they change anything.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.system import count_metadata
from allocsim.designs.tcmalloc.records import Tcmalloc

ALLOC_INCREMENT = 128 << 10
"""Bytes of metadata obtained at a time for one kind of record (kAllocIncrement)."""

METADATA_ALLOC_CHUNK_SIZE = 8 << 20
"""Bytes obtained from the OS at a time for metadata (kMetadataAllocChunkSize)."""


@kernel
def allocate_record(heap: Tcmalloc, count: int, per_chunk: int) -> bool:
    """Account for the `count`-th record of a kind: the first in a chunk adds the whole chunk.

    Returns False if a chunk is needed and the heap is frozen (PageHeapAllocator::New).
    """
    return count % per_chunk != 1 or allocate_metadata(heap, ALLOC_INCREMENT)


@kernel
def allocate_metadata(heap: Tcmalloc, length: int) -> bool:
    """Count `length` bytes, in a new area if the last one has too few left (MetaDataAlloc).

    Returns False if the heap is frozen. The address range of an area stays unused here, because the
    records are in tables of their own. If the range no longer fits into the heap's reservation, the
    bytes are counted all the same: the reservation's size is a setting of allocsim, not a limit of
    the library.
    """
    if not count_metadata(heap, length):
        return False
    page_heap, system = heap.page_heap[0], heap.system[0]
    if page_heap.area_left < length:
        page_heap.area_left = METADATA_ALLOC_CHUNK_SIZE
        if system.limit - system.next >= METADATA_ALLOC_CHUNK_SIZE:
            system.next += METADATA_ALLOC_CHUNK_SIZE
    page_heap.area_left -= length
    return True


@kernel
def chunks_for(count: int, per_chunk: int) -> int:
    """Return how many chunks hold `count` records of a kind."""
    return (count + per_chunk - 1) // per_chunk
