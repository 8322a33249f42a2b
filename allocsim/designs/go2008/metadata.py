"""Metadata of Go's first malloc: records and page map nodes, and what they cost."""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.system import count_metadata
from allocsim.designs.go2008.records import Go2008

CHUNK = 1 << 20
"""Bytes mapped at a time for small metadata."""


DIRECT = 4096
"""Metadata of this many bytes or more is mapped by itself, rounded up to pages of this size."""


GRANULE = 16
"""Small metadata is rounded up to a multiple of this many bytes."""


@kernel
def take_metadata(heap: Go2008, length: int) -> bool:
    """Book `length` bytes for a record, or for a node of the page map; False: refused."""
    if length >= DIRECT:
        return count_metadata(heap, (length + DIRECT - 1) // DIRECT * DIRECT)
    rounded = (length + GRANULE - 1) // GRANULE * GRANULE
    if heap.system[0].frozen:
        return count_metadata(heap, 0)
    static = heap.static[0]
    if rounded > static.chunk_left:
        count_metadata(heap, CHUNK)
        static.chunk_left = CHUNK
    static.chunk_left -= rounded
    return True
