"""Two checks that an object starts at an address: a fast one and an exact one.

The fast check is `object_status`. It reads the head of the object's chunk and that of the next
chunk (a head is the word with a chunk's size and flags, see `chunks`). The result can be wrong,
because data in an object may look like heads. `free` makes this check in two parts. It always
checks the address and its alignment. It checks the heads (`chunk_status`) only if the object does
not go straight to the thread's cache. The exact check, `inspect`, is slow, because it walks over
chunks or mappings, from the first one to the address.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.designs.glibc.address_space import mapping_length, range_at, start_of
from allocsim.designs.glibc.chunks import (
    CHUNK_HDR_SZ,
    MALLOC_ALIGNMENT,
    MINSIZE,
    SIZE_SZ,
    chunk_is_mmapped,
    chunksize,
    inuse_bit_at_offset,
    non_main_arena,
    prev_size,
)
from allocsim.designs.glibc.heaps import FIRST_CHUNK, HEAP_INFO, slot_address, slot_of
from allocsim.designs.glibc.mmapped_chunks import mapping_of
from allocsim.designs.glibc.records import Glibc, Kind


@kernel
def is_inside(heap: Glibc, mem: int) -> bool:
    """Return whether `mem` and the CHUNK_HDR_SZ bytes before it are in the heap's reservation."""
    mp = heap.mp_[0]
    return CHUNK_HDR_SZ <= mem - mp.start < mp.length


@kernel
def object_status(heap: Glibc, mem: int) -> int:
    """Return OK if an object seems to start at `mem`, else UNKNOWN_POINTER.

    The heads of its chunk and of the next chunk must be plausible, and say that the chunk is in
    use. If the head says that the chunk has a mapping of its own, the mapping must exist.
    """
    if not is_inside(heap, mem) or mem & (MALLOC_ALIGNMENT - 1):
        return Status.UNKNOWN_POINTER
    return chunk_status(heap, mem - CHUNK_HDR_SZ)


@kernel
def chunk_status(heap: Glibc, p: int) -> int:
    """Return OK if a chunk in use seems to start at `p`, else UNKNOWN_POINTER.

    `p` is aligned, and inside the heap.
    """
    if chunk_is_mmapped(p):
        return Status.OK if mapping_of(heap, p) else Status.UNKNOWN_POINTER
    size, room = chunksize(p), _end_of_memory(heap, p) - p
    if not MINSIZE <= size < room or size & (MALLOC_ALIGNMENT - 1):
        return Status.UNKNOWN_POINTER
    return Status.OK if inuse_bit_at_offset(p, size) else Status.UNKNOWN_POINTER


@kernel
def _end_of_memory(heap: Glibc, p: int) -> int:
    """Return the end of the main arena, or of the heap (see `heaps`) that contains the chunk `p`.

    Returns 0 if the chunk has the flag NON_MAIN_ARENA, but no heap contains its address.
    """
    if not non_main_arena(p):
        return heap.system[0].next
    slot = slot_of(heap, p)
    info = heap.heap_info[slot]
    return slot_address(heap, slot) + info.size_ if info.ar_ptr else 0


@kernel
def allocated_size(heap: Glibc, address: int) -> int:
    """Return the usable bytes of the object at an address (musable), or 0 if no object is there."""
    if object_status(heap, address) != Status.OK:
        return 0
    p = address - CHUNK_HDR_SZ
    return chunksize(p) - (CHUNK_HDR_SZ if chunk_is_mmapped(p) else SIZE_SZ)


@kernel
def inspect(heap: Glibc, address: int) -> int:
    """Return OK if a chunk's object starts at an address; else the Status of the error.

    The result is OK also if the chunk is free in a cache, a fastbin or a bin. For an address in the
    top chunk, the result is UNKNOWN_POINTER.
    """
    if not is_inside(heap, address):
        return Status.UNKNOWN_POINTER
    if address < heap.system[0].next:
        return _status_between(heap.mp_[0].sbrk_base, heap.arena[0].top, address)
    slot = slot_of(heap, address)
    av = heap.heap_info[slot].ar_ptr
    if av == 0:
        return _status_in_mappings(heap, address)
    start = slot_address(heap, slot)
    first = start + (HEAP_INFO if heap.heap_info[slot].prev else FIRST_CHUNK)
    fence = start + heap.heap_info[slot].size_ - CHUNK_HDR_SZ
    end = heap.arena[av].top
    if slot_of(heap, end) != slot:
        end = fence - prev_size(fence)
    return _status_between(first, end, address)


@kernel
def _status_between(chunk: int, end: int, mem: int) -> int:
    """Return the Status of the address `mem`: walk over the chunks from `chunk` to `end`."""
    p = mem - CHUNK_HDR_SZ
    while chunk < end and chunk + chunksize(chunk) <= p and chunksize(chunk) >= MINSIZE:
        chunk += chunksize(chunk)
    if chunk == p and chunk < end:
        return Status.OK
    used = chunk < end and chunk < p and inuse_bit_at_offset(chunk, chunksize(chunk))
    return Status.NOT_OBJECT_START if used else Status.UNKNOWN_POINTER


@kernel
def _status_in_mappings(heap: Glibc, mem: int) -> int:
    """Return the Status of an address outside all heaps: walk over the mappings."""
    if object_status(heap, mem) == Status.OK:
        return Status.OK
    number = range_at(heap, heap.system[0].limit)
    while mem >= start_of(heap, number):
        kind, end = heap.mapping[number].kind, start_of(heap, number) + mapping_length(heap, number)
        if mem < end:
            return Status.NOT_SPAN_START if kind == Kind.CHUNK else Status.UNKNOWN_POINTER
        number = range_at(heap, end)
    return Status.UNKNOWN_POINTER
