"""The start and the size of an object at an address.

By default, a freed object is dead until the garbage collector frees its slot. A tiny block is a
slot that objects below 16 bytes share; each of these objects is a part of the block.
"""

from __future__ import annotations

from allocsim.core.jit import cold, kernel
from allocsim.core.operations import Status
from allocsim.designs.go.records import Go
from allocsim.designs.go.size_classes import PAGE_SHIFT, TINY_CLASS, TINY_SIZE
from allocsim.designs.go.spans import BITS_SHIFT, CLASS_MASK, SPAN_SHIFT, page_of
from allocsim.designs.go.sys import shift_left, shift_right, trailing_zeros64

WHOLE = 1 << 16
"""The entry in `tiny_parts` for a slot that holds one object of 16 bytes. In the entry for a tiny
block, bit i says whether a live part of the block starts at byte i (i is 0 to 15)."""


@kernel
def zero_base(heap: Go) -> int:
    """Return the address that all objects of 0 bytes share, outside the heap (zerobase)."""
    return heap.system[0].limit


@kernel
def inspect(heap: Go, address: int) -> int:
    """Return OK if an object starts at `address`, else the Status of the error.

    A large object counts only while it is live. A small object also counts when it is dead, or
    when its slot is free. A part of a tiny block that does not begin at the block's start counts
    only while it is live.
    """
    return object_status(heap, address)


@cold
def object_status(heap: Go, address: int) -> int:
    """Return OK if an object starts at `address` (see `inspect`), else the Status of the error."""
    page = page_of(heap, address)
    if not 0 <= page < len(heap.spans):
        return Status.OK if address == zero_base(heap) else Status.UNKNOWN_POINTER
    entry = int(heap.spans[page])
    span, size_class = entry >> SPAN_SHIFT, entry & CLASS_MASK
    record, central = heap.mspan[span], heap.mcentral[size_class]
    offset = address - record.start_addr
    if size_class == 0:
        if heap.gc_bits[span << BITS_SHIFT] == 0:  # a stack segment, or no span
            return Status.UNKNOWN_POINTER
        return Status.OK if offset == record.offset << PAGE_SHIFT else Status.NOT_SPAN_START
    inside = offset % central.elemsize
    if inside and size_class == TINY_CLASS:
        parts = int(heap.tiny_parts[(address - heap.mheap[0].start) >> 4])
        inside = ~parts >> inside & 1  # 0 if a live part starts here
    is_slot = inside == 0 and offset < central.nelems * central.elemsize
    return Status.OK if is_slot else Status.NOT_OBJECT_START


@cold
def error_of(heap: Go, address: int) -> int:
    """Return the error of a free at `address`, where no live object starts."""
    status = object_status(heap, address)
    return Status.UNKNOWN_POINTER if status == Status.OK else status


@cold
def set_live(heap: Go, address: int, live: int) -> None:
    """Set the live bit of the slot at `address` to `live`, 0 or 1."""
    entry = int(heap.spans[page_of(heap, address)])
    size_class, span = entry & CLASS_MASK, entry >> SPAN_SHIFT
    offset = address - heap.mspan[span].start_addr
    slot = offset * heap.mcentral[size_class].div_mul >> 32
    row = (span << BITS_SHIFT) + 2 * (slot >> 6)
    others = int(heap.gc_bits[row]) & ~shift_left(1, slot & 63)
    heap.gc_bits[row] = others | shift_left(live, slot & 63)


@kernel
def usable_size(heap: Go, address: int) -> int:
    """Return the usable bytes of the object at `address`, or 0 if no object starts there."""
    return allocated_size(heap, address)


@kernel
def allocated_size(heap: Go, address: int) -> int:
    """Return the bytes of an object, rounded to its class or to pages, or 0 if there is no object.

    A part of a tiny block ends where the next live part, or the free rest of the block, begins.
    """
    if address == zero_base(heap) or object_status(heap, address) != Status.OK:
        return 0
    entry = int(heap.spans[page_of(heap, address)])
    record, size_class = heap.mspan[entry >> SPAN_SHIFT], entry & CLASS_MASK
    if size_class == 0:
        return (record.npages - record.offset) << PAGE_SHIFT
    if size_class == TINY_CLASS:
        return _part_size(heap, address)
    return heap.mcentral[size_class].elemsize


@kernel
def _part_size(heap: Go, address: int) -> int:
    """Return the bytes of a part of a tiny block, or 16 if the object is the whole block."""
    mheap, inside = heap.mheap[0], address & (TINY_SIZE - 1)
    parts = int(heap.tiny_parts[(address - mheap.start) >> 4])
    if parts == WHOLE:
        return TINY_SIZE
    end = mheap.tinyoffset if address - inside == mheap.tiny else TINY_SIZE
    following = trailing_zeros64(shift_right(parts & (WHOLE - 1), inside + 1))
    return min(end, inside + 1 + following) - inside
