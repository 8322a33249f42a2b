"""Metadata: span records, page map nodes and thread caches (trivalloc in triv.c).

Here the records are in tables outside the heap; this module counts the bytes that trivalloc would
have mapped for them. Small records are carved from chunks of 1 MiB, and the rest of a chunk is lost
when the next record does not fit. Metadata is never freed. Once a heap is frozen, every request for
memory fails, including requests for metadata.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.system import count_metadata
from allocsim.designs.go2008.records import Go2008

CHUNK = 1 << 20
"""Bytes mapped at a time for small records."""

MIN_DIRECT = 4096
"""Records of this many bytes or more are mapped separately, in multiples of this size."""

ALIGNMENT = 16
"""Small records are rounded up to a multiple of this many bytes."""


@kernel
def allocate_metadata(heap: Go2008, length: int) -> bool:
    """Count `length` bytes for a record or a page map node; return False if the heap is frozen."""
    if length >= MIN_DIRECT:
        return count_metadata(heap, (length + MIN_DIRECT - 1) // MIN_DIRECT * MIN_DIRECT)
    if heap.system[0].frozen:
        # As in trivalloc, all requests of a frozen heap fail, even if the current chunk has room.
        return count_metadata(heap, 0)
    rounded = (length + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    static = heap.static[0]
    if rounded > static.chunk_left:
        count_metadata(heap, CHUNK)
        static.chunk_left = CHUNK
    static.chunk_left -= rounded
    return True
