"""malloc, free and related calls (runtime/malloc.go).

Go has no free. The effect of a free depends on the mode. By default the object dies, and a later
collection finds it. With `freegc`, the next request of the class reuses the object. With `direct`,
the free takes effect at once, as if the object's span were swept. A free returns the Status of the
error if no live object starts at its address.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import cold, kernel
from allocsim.core.operations import Status
from allocsim.core.raw import copy, fill
from allocsim.designs.go.mcache import next_free, next_free_fast, next_reusable
from allocsim.designs.go.mfree import free_large_object, free_slot, large_object
from allocsim.designs.go.mgc import gc_start_if_due, run_due
from allocsim.designs.go.objects import WHOLE, allocated_size, error_of, set_live, zero_base
from allocsim.designs.go.records import Go
from allocsim.designs.go.size_classes import (
    MAX_SMALL,
    PAGE,
    PAGE_SHIFT,
    TINY_CLASS,
    TINY_SIZE,
    class_of,
)
from allocsim.designs.go.spans import (
    BITS_SHIFT,
    CLASS_MASK,
    DISTANCE_SHIFT,
    SPAN_SHIFT,
    page_of,
)
from allocsim.designs.go.sys import shift_left


@kernel
def malloc(heap: Go, thread: int, request: int) -> int:
    """Allocate an object (mallocgc); return 0 on failure."""
    address = mallocgc(heap, request)
    count_event(heap)
    return address


@kernel
def calloc(heap: Go, thread: int, request: int) -> int:
    """Allocate an object and clear it."""
    address = allocate_aligned(heap, 1, request)
    if address:
        fill(address, request, 0)
    count_event(heap)
    return address


@kernel
def memalign(heap: Go, thread: int, alignment: int, request: int) -> int:
    """Allocate an object of the smallest class whose objects have this alignment.

    Go has no such call. A span begins on a page boundary, so the object size of a class
    determines the alignment of its objects. For an alignment above a page, the address is rounded
    up in a larger object, as a program would do it in Go.
    """
    address = allocate_aligned(heap, alignment, request)
    count_event(heap)
    return address


@kernel
def realloc(heap: Go, thread: int, address: int, request: int) -> int:
    """Copy an object to a new one, and free the old one. Go has no such call."""
    moved = reallocate(heap, address, request)
    count_event(heap)
    return moved


@kernel
def free(heap: Go, thread: int, address: int) -> int:
    """Free an object. Returns a Status; unless it is OK, nothing changes."""
    status = free_object(heap, address)
    count_event(heap)
    return status


@kernel
def count_event(heap: Go) -> None:
    """Count an event; run the forced collection and the scavenger if they are due."""
    controller = heap.gc_controller[0]
    controller.events += 1
    if controller.events >= controller.due:
        run_due(heap)


@kernel
def mallocgc(heap: Go, request: int) -> int:
    """Allocate an object without pointers (mallocgc); return 0 on failure."""
    if request < TINY_SIZE:
        return malloc_tiny(heap, request)
    if request > MAX_SMALL:
        return large_object(heap, request, PAGE)
    return malloc_small(heap, class_of(heap, request))


@kernel
def malloc_small(heap: Go, size_class: int) -> int:
    """Allocate an object of a class (mallocgcSmallNoscan); return 0 on failure."""
    address = next_reusable(heap, size_class) if heap.mheap[0].freegc else 0
    if address:
        set_live(heap, address, 1)
    else:
        address = next_free_fast(heap, heap.mcentral[np.uint64(size_class)])
    if address == 0:
        address = next_free(heap, size_class)
        gc_start_if_due(heap)
    if size_class == TINY_CLASS and address:
        heap.tiny_parts[(address - heap.mheap[0].start) >> 4] = WHOLE
    return address


@kernel
def malloc_tiny(heap: Go, request: int) -> int:
    """Allocate a part of a 16-byte block (mallocgcTiny); requests of 0 bytes share an address."""
    if request <= 0:
        return zero_base(heap)
    mheap = heap.mheap[0]
    alignment = request & -request  # at most 8
    offset = (mheap.tinyoffset + alignment - 1) & -alignment
    if mheap.tiny and offset + request <= TINY_SIZE:
        mheap.tinyoffset = offset + request
        mark_part(heap, mheap.tiny, offset)
        return mheap.tiny + offset
    address = next_free_fast(heap, heap.mcentral[TINY_CLASS])
    is_slow = address == 0
    if is_slow:
        address = next_free(heap, TINY_CLASS)
        if address == 0:
            return 0
    heap.tiny_parts[np.uint64((address - mheap.start) >> 4)] = 1
    # The block with more room left becomes or stays the current one.
    if mheap.tiny == 0 or request < mheap.tinyoffset:
        mheap.tiny, mheap.tinyoffset = address, request
    if is_slow:
        gc_start_if_due(heap)
    return address


@kernel
def mark_part(heap: Go, block: int, offset: int) -> None:
    """Record that a part starts in a block; make the block live again if it was dead."""
    index = np.uint64((block - heap.mheap[0].start) >> 4)
    parts = int(heap.tiny_parts[index])
    if parts == 0:
        set_live(heap, block, 1)
        controller = heap.gc_controller[0]
        controller.dead_bytes -= TINY_SIZE
        controller.dead_objects -= 1
    heap.tiny_parts[index] = parts | 1 << offset


@kernel
def free_object(heap: Go, address: int) -> int:
    """Free an object; see the module's description. Returns a Status."""
    page = page_of(heap, address)
    if not 0 <= page < len(heap.spans):
        return Status.OK if address == zero_base(heap) else Status.UNKNOWN_POINTER
    entry = int(heap.spans[np.uint64(page)])
    size_class = entry & CLASS_MASK
    if size_class == 0:
        return free_large_object(heap, address)
    central = heap.mcentral[np.uint64(size_class)]
    start = (address & -PAGE) - ((entry >> DISTANCE_SHIFT & 0xFF) << PAGE_SHIFT)
    slot = (address - start) * central.div_mul >> 32
    inside, reusable = address - start - slot * central.elemsize, address
    if size_class == TINY_CLASS:
        index = np.uint64((address - heap.mheap[0].start) >> 4)
        parts, part = int(heap.tiny_parts[index]), 1 << inside
        if inside == 0 and parts == WHOLE:
            part = WHOLE
        if parts & part == 0:
            return error_of(heap, address)
        heap.tiny_parts[index] = parts & ~part
        if parts != part:
            return Status.OK
        reusable = address if part == WHOLE else 0
    elif inside:
        return Status.NOT_OBJECT_START
    row = np.uint64((entry >> SPAN_SHIFT << BITS_SHIFT) + 2 * (slot >> 6))
    bit, marks = shift_left(1, slot & 63), int(heap.gc_bits[row])
    if marks & bit == 0:
        return error_of(heap, address)
    heap.gc_bits[row] = marks & ~bit
    free_slot(heap, entry, slot, reusable)
    return Status.OK


@cold
def allocate_aligned(heap: Go, alignment: int, request: int) -> int:
    """Allocate an object at a multiple of `alignment`, a power of two (see memalign)."""
    if alignment > PAGE or request > MAX_SMALL:
        return large_object(heap, max(request, 1), alignment)
    if alignment > 1:
        size_class = class_of(heap, request) if request > TINY_SIZE else TINY_CLASS
        while heap.mcentral[size_class].elemsize & (alignment - 1):
            size_class += 1
        request = min(heap.mcentral[size_class].elemsize, MAX_SMALL)
    return mallocgc(heap, request)


@cold
def reallocate(heap: Go, address: int, request: int) -> int:
    """Move an object to a new object of `request` bytes.

    Returns 0 on failure; the old object is then unchanged.
    """
    size = allocated_size(heap, address)
    moved = allocate_aligned(heap, 1, request)
    if moved:
        copy(moved, address, min(size, max(request, 0)))
        free_object(heap, address)
    return moved
