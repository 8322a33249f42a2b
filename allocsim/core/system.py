"""The trivial allocator: the one door to the operating system, and the account of what passed it.

Above `memory`; every stage that needs pages or a record asks here. Pages for spans come from the
heap's reservation, one after the other; records live in tables of their own, which are never
moved, and here is booked what they cost. Its one rule: when frozen, it refuses everything.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.records import HeapState

CHUNK = 1 << 20
"""Bytes mapped at a time for small metadata."""

DIRECT = 4096
"""Metadata of this many bytes or more is mapped by itself, rounded up to pages of this size."""

GRANULE = 16
"""Small metadata is rounded up to a multiple of this many bytes."""


@kernel
def take_pages(heap: HeapState, length: int) -> int:
    """The address of `length` fresh bytes for a span, a multiple of the page size; 0: refused."""
    system = heap.system[0]
    if system.frozen:
        system.refusal = Status.FROZEN
        return 0
    if length > system.limit - system.next:
        system.refusal = Status.OUT_OF_MEMORY
        return 0
    address = system.next
    system.next = address + length
    system.heap += length
    system.footprint += length
    return address


@kernel
def take_metadata(heap: HeapState, length: int) -> bool:
    """Book `length` bytes for a record, or for a node of the page map; False: refused."""
    system = heap.system[0]
    if system.frozen:
        system.refusal = Status.FROZEN
        return False
    if length >= DIRECT:
        system.footprint += (length + DIRECT - 1) // DIRECT * DIRECT
        return True
    rounded = (length + GRANULE - 1) // GRANULE * GRANULE
    if rounded > system.chunk_left:
        system.chunk_left = CHUNK
        system.footprint += CHUNK
    system.chunk_left -= rounded
    return True
