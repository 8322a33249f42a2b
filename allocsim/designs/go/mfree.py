"""Freeing of slots; allocation and freeing of large objects.

What a free does to its slot depends on the mode. With `direct`, the slot becomes free, as if its
span were swept. With `freegc`, the next request of its class reuses the slot, unless the slot is a
tiny block. In all other cases, the slot counts as dead until the garbage collector frees it.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import cold, kernel
from allocsim.core.operations import Status
from allocsim.designs.go.mcache import add_reusable, alloc_large
from allocsim.designs.go.mcentral import push, release_span, remove
from allocsim.designs.go.mgc import gc_start_if_due
from allocsim.designs.go.mheap import free_span
from allocsim.designs.go.objects import object_status
from allocsim.designs.go.records import PARTIAL, Go
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT, TINY_CLASS
from allocsim.designs.go.spans import (
    BITS_SHIFT,
    CLASS_MASK,
    SPAN_SHIFT,
    entry_of,
    page_of,
    span_of,
)
from allocsim.designs.go.sys import shift_left


@kernel
def free_slot(heap: Go, entry: int, slot: int, reusable: int) -> None:
    """Complete the free of a slot as the heap's mode requires.

    The caller has cleared the slot's live bit. `entry` is the page map entry of the slot's page.
    `reusable` is the slot's address, or 0 for a tiny block.
    """
    mheap, size_class = heap.mheap[0], entry & CLASS_MASK
    if mheap.direct:
        _free_directly(heap, entry >> SPAN_SHIFT, size_class, slot)
    elif mheap.freegc and reusable:
        add_reusable(heap, size_class, reusable)
    else:
        controller = heap.gc_controller[0]
        controller.dead_bytes += heap.mcentral[np.uint64(size_class)].elemsize
        controller.dead_objects += 1


@kernel
def _free_directly(heap: Go, span: int, size_class: int, slot: int) -> None:
    """Free a slot immediately, as a sweep of its span would."""
    central = heap.mcentral[np.uint64(size_class)]
    if size_class == TINY_CLASS:
        _forget_tiny_block(heap)
    if central.alloc == span:
        # The slot is available again, unless the search for free slots has passed it.
        if slot >> 6 == central.alloc_word and slot & 63 > central.alloc_bit:
            central.alloc_cache |= shift_left(1, slot & 63)
        heap.mheap[0].cached += central.elemsize
        return
    use = heap.span_use[np.uint64(span)]
    left = use.alloc_count - 1
    if left == 0 or left + 1 == central.nelems:
        move_span(heap, size_class, span)
    else:
        use.alloc_count = left
        heap.mheap[0].partial += central.elemsize


@kernel
def _forget_tiny_block(heap: Go) -> None:
    """Forget the current tiny block if its last live object has just been freed."""
    mheap = heap.mheap[0]
    if mheap.tiny and heap.tiny_parts[(mheap.tiny - mheap.start) >> 4] == 0:
        mheap.tiny = mheap.tinyoffset = 0


@cold
def move_span(heap: Go, size_class: int, span: int) -> None:
    """Count a freed slot, and move its span, which was full or is now empty.

    A span that is now empty is freed. Any other span joins the partial set.
    """
    use = heap.span_use[span]
    if use.alloc_count < heap.mcentral[size_class].nelems:
        remove(heap, size_class, span)
    use.alloc_count -= 1
    if use.alloc_count == 0:
        release_span(heap, size_class, span)
    else:
        push(heap, size_class, PARTIAL, span)


@cold
def large_object(heap: Go, request: int, alignment: int) -> int:
    """Allocate a large object; return its address, or 0 on failure (mallocgcLarge)."""
    # If both are below the limit, their sum cannot overflow.
    if max(request, alignment) > heap.system[0].limit:
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    span = alloc_large(heap, request + max(alignment, PAGE) - PAGE)
    if span == 0:
        return 0
    record = heap.mspan[span]
    aligned = (record.start_addr + alignment - 1) & -alignment
    record.offset = (aligned - record.start_addr) >> PAGE_SHIFT
    heap.spans[page_of(heap, aligned)] = entry_of(span, 0, 0)
    gc_start_if_due(heap)
    return aligned


@cold
def free_large_object(heap: Go, address: int) -> int:
    """With `direct`, free a large object; otherwise count it as dead. Returns a Status."""
    status = object_status(heap, address)
    if status != Status.OK:
        return status
    span, controller = span_of(heap, address), heap.gc_controller[0]
    npages = heap.mspan[span].npages
    heap.gc_bits[span << BITS_SHIFT] = 0
    if heap.mheap[0].direct:
        heap.counters[0].large_pages -= npages
        free_span(heap, span)
    else:
        controller.dead_bytes += npages << PAGE_SHIFT
        controller.dead_objects += 1
    return Status.OK
