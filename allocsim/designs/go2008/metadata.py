"""Metadata of Go's first malloc: records and page map nodes, and what they cost."""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState
from allocsim.core.system import count_metadata

CHUNK = 1 << 20
"""Bytes mapped at a time for small metadata."""


DIRECT = 4096
"""Metadata of this many bytes or more is mapped by itself, rounded up to pages of this size."""


GRANULE = 16
"""Small metadata is rounded up to a multiple of this many bytes."""


@kernel
def take_metadata(heap: HeapState, length: int) -> bool:
    """Book `length` bytes for a record, or for a node of the page map; False: refused."""
    system = heap.system[0]
    if length >= DIRECT:
        return count_metadata(heap, (length + DIRECT - 1) // DIRECT * DIRECT)
    rounded = (length + GRANULE - 1) // GRANULE * GRANULE
    if system.frozen:
        return count_metadata(heap, 0)
    if rounded > system.chunk_left:
        count_metadata(heap, CHUNK)
        system.chunk_left = CHUNK
    system.chunk_left -= rounded
    return True
