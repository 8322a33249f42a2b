"""The span cache: one span of each class, and how slots are taken from it (runtime/mcache.go).

In Go, each P (a virtual processor, on which threads run) has such a cache; this design has one P. A
slot is the place of one object in a span. A slot of the cached span is free if it was free at the
last sweep and the search for free slots has not passed it since.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import load_word, store_word
from allocsim.designs.go.mcentral import cache_span, free_bytes, uncache_span
from allocsim.designs.go.mheap import alloc_span
from allocsim.designs.go.records import Go, MCentral
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT, TINY_CLASS
from allocsim.designs.go.spans import BITS_SHIFT, entry_of, page_of, words_of
from allocsim.designs.go.sys import ones, shift_left, trailing_zeros64


@kernel
def next_free_fast(heap: Go, central: MCentral) -> int:
    """Take the next free slot of the 64 in `alloc_cache` (nextFreeFast).

    Returns its address, or 0 if none of the 64 is free.
    """
    free = int(central.alloc_cache)
    if free == 0:
        return 0
    bit = trailing_zeros64(free)
    slot = shift_left(1, bit)
    central.alloc_cache = free & ~slot
    central.alloc_bit = bit
    heap.gc_bits[np.uint64(central.alloc_row)] |= slot
    heap.mheap[0].cached -= central.elemsize
    return central.alloc_base + bit * central.elemsize


@out_of_line
def next_free(heap: Go, size_class: int) -> int:
    """Take a slot from the rest of the cached span, or from another span (mcache.nextFree).

    Returns its address, or 0 on failure.
    """
    central = heap.mcentral[size_class]
    while not _refill_alloc_cache(heap, central):
        if refill(heap, size_class) == 0:
            return 0
    return next_free_fast(heap, central)


@kernel
def _refill_alloc_cache(heap: Go, central: MCentral) -> bool:
    """Load the next word with a free slot into `alloc_cache` (refillAllocCache).

    Returns False if the cached span has no further free slot, or if no span is cached.
    """
    words = words_of(central.nelems) if central.alloc else 0
    for word in range(central.alloc_word + 1, words):
        row = (central.alloc << BITS_SHIFT) + 2 * word
        slots = ones(0, min(64, central.nelems - (word << 6)))
        free = ~int(heap.gc_bits[row + heap.mheap[0].taken]) & slots
        if free:
            central.alloc_word, central.alloc_cache, central.alloc_bit = word, free, -1
            central.alloc_row = row
            start = heap.mspan[central.alloc].start_addr
            central.alloc_base = start + (word << 6) * central.elemsize
            return True
    central.alloc_word = words
    return False


@kernel
def refill(heap: Go, size_class: int) -> int:
    """Replace the cached span by one with a free slot (mcache.refill).

    Returns the number of the new span. On failure, returns 0, and no span is cached.
    """
    central, controller = heap.mcentral[size_class], heap.gc_controller[0]
    if size_class == TINY_CLASS:
        drop_reusable(heap, size_class)
    old = central.alloc
    uncache(central)
    if old:
        taken = central.nelems - heap.span_use[old].alloc_count
        controller.allocated += taken * central.elemsize
        uncache_span(heap, size_class, old)
    span = cache_span(heap, size_class)
    central.alloc = span
    if span:
        heap.mheap[0].cached += free_bytes(heap, size_class, span)
        used = heap.span_use[span].alloc_count * central.elemsize
        controller.heap_live += (central.npages << PAGE_SHIFT) - used
        controller.should_help = 1
    return span


@kernel
def uncache(central: MCentral) -> None:
    """Record that no span of the class is cached."""
    central.alloc = central.alloc_cache = 0
    central.alloc_word = central.alloc_bit = -1


@kernel
def alloc_large(heap: Go, length: int) -> int:
    """Allocate a span for one large object of `length` bytes (allocLarge).

    Returns the span's number, or 0 on failure.
    """
    npages = (length + PAGE - 1) >> PAGE_SHIFT
    span = alloc_span(heap, npages, 0)
    if span == 0:
        return 0
    record, controller = heap.mspan[span], heap.gc_controller[0]
    heap.span_use[span].alloc_count = 1
    heap.gc_bits[span << BITS_SHIFT] = 1
    heap.spans[page_of(heap, record.start_addr)] = entry_of(span, 0, 0)
    controller.heap_live += npages << PAGE_SHIFT
    controller.allocated += npages << PAGE_SHIFT
    controller.should_help = 1
    heap.counters[0].large_pages += npages
    return span


@kernel
def add_reusable(heap: Go, size_class: int, address: int) -> None:
    """Push a freed object on the list of its class's reusable objects (addReusableNoscan)."""
    central = heap.mcentral[size_class]
    store_word(address, central.reusable)
    central.reusable = address
    central.num_reusable += 1
    heap.mheap[0].cached += central.elemsize


@kernel
def next_reusable(heap: Go, size_class: int) -> int:
    """Pop the newest reusable object of a class (nextReusableNoScan).

    Returns 0 if the class has no reusable object.
    """
    central = heap.mcentral[size_class]
    address = central.reusable
    if address:
        central.reusable = load_word(address)
        central.num_reusable -= 1
        heap.mheap[0].cached -= central.elemsize
    return address


@kernel
def drop_reusable(heap: Go, size_class: int) -> None:
    """Empty the list of a class's reusable objects, and count them as dead."""
    central, controller = heap.mcentral[size_class], heap.gc_controller[0]
    length = central.num_reusable * central.elemsize
    heap.mheap[0].cached -= length
    controller.dead_objects += central.num_reusable
    controller.dead_bytes += length
    central.reusable = central.num_reusable = 0
