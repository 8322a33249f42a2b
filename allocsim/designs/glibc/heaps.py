"""Heaps: the memory of arenas other than the main one (arena.c, "Heap management functions").

A heap is a slot of 64 MiB of addresses, of which the first `size_` bytes are in use. An arena whose
heap is full gets another heap. The top of an arena is in its newest heap; each older heap ends in
fence posts. The header of an arena is in its first heap.
"""

from __future__ import annotations

from allocsim.core.jit import cold, kernel
from allocsim.core.system import count_pages, return_pages
from allocsim.designs.glibc.address_space import HEAP_MAX_SIZE, delete_slot, new_slot
from allocsim.designs.glibc.bins import leave_bins, unlink_chunk
from allocsim.designs.glibc.chunks import (
    MINSIZE,
    PAGE,
    PREV_INUSE,
    align_down,
    align_up,
    chunksize,
    prev_inuse,
    prev_size,
    set_head,
)
from allocsim.designs.glibc.records import Glibc

HEAP_MIN_SIZE = 32 << 10
"""Minimum bytes in use of a new heap."""

HEAP_INFO = 48
"""Bytes of the header of a heap (sizeof (heap_info))."""

MALLOC_STATE = 2200
"""Bytes of the header of an arena (sizeof (struct malloc_state))."""

FIRST_CHUNK = 2256
"""Offset of the first chunk in an arena's first heap: after both headers, aligned."""


@kernel
def slot_of(heap: Glibc, address: int) -> int:
    """Return the number of the slot that contains an address (heap_for_ptr).

    Slot 0 contains the first byte of the simulated heap's reservation.
    """
    return address // HEAP_MAX_SIZE - heap.mp_[0].first_slot


@kernel
def slot_address(heap: Glibc, slot: int) -> int:
    """Return the address of the first byte of a slot."""
    return (heap.mp_[0].first_slot + slot) * HEAP_MAX_SIZE


@cold
def new_heap(heap: Glibc, size: int) -> int:
    """Create a heap of about size + top_pad bytes; return its slot, or -1 on failure (new_heap)."""
    top_pad = heap.mp_[0].top_pad
    if size > HEAP_MAX_SIZE:
        return -1
    if size + top_pad < HEAP_MIN_SIZE:
        size = HEAP_MIN_SIZE
    elif size + top_pad > HEAP_MAX_SIZE:
        size = HEAP_MAX_SIZE
    else:
        size = align_up(size + top_pad)
    address = new_slot(heap)
    if address == 0:
        return -1
    slot = slot_of(heap, address)
    if not count_pages(heap, size):
        delete_slot(heap, slot)
        return -1
    info = heap.heap_info[slot]
    info.prev = 0
    info.size_ = info.mprotect_size = size
    return slot


@kernel
def grow_heap(heap: Glibc, slot: int, diff: int) -> int:
    """Grow a heap by `diff` bytes, rounded up to pages; return the bytes added, 0 on failure."""
    info, diff = heap.heap_info[slot], align_up(diff)
    if info.size_ + diff > HEAP_MAX_SIZE or not count_pages(heap, diff):
        return 0
    info.size_ += diff
    info.mprotect_size = max(info.mprotect_size, info.size_)
    return diff


@kernel
def shrink_heap(heap: Glibc, slot: int, diff: int) -> None:
    """Return the last `diff` bytes of a heap (whole pages) to the OS (shrink_heap)."""
    info = heap.heap_info[slot]
    info.size_ -= diff
    return_pages(heap, slot_address(heap, slot) + info.size_, diff)


@kernel
def heap_trim(heap: Glibc, av: int) -> None:
    """While the arena's newest heap is all top and can be deleted, delete it; then trim top.

    Trimming leaves at least top_pad bytes of top (heap_trim).
    """
    arena, mp = heap.arena[av], heap.mp_[0]
    while True:
        slot = slot_of(heap, arena.top)
        if arena.top != slot_address(heap, slot) + HEAP_INFO or not _delete_heap(heap, av, slot):
            break
    top_size = chunksize(arena.top)
    area = top_size - MINSIZE - 1
    if top_size < mp.trim_threshold or area <= mp.top_pad:
        return
    extra = align_down(area - mp.top_pad)
    if extra:
        shrink_heap(heap, slot, extra)
        arena.system_mem -= extra
        set_head(arena.top, (top_size - extra) | PREV_INUSE)


@kernel
def _delete_heap(heap: Glibc, av: int, slot: int) -> bool:
    """Delete an arena's newest heap, which is all top ("Can this heap go away completely?").

    Top then consists of the fence posts at the end of the previous heap, and of a free chunk before
    them. The newest heap is not deleted if this top would be too small even after the previous heap
    has grown to the end of its slot. Returns whether the heap was deleted.
    """
    arena, info = heap.arena[av], heap.heap_info[slot]
    before = info.prev - 1
    used = heap.heap_info[before].size_
    end = slot_address(heap, before) + used
    p = end - 16 - prev_size(end - 16)
    fence = end - p
    size = fence if prev_inuse(p) else fence + prev_size(p)
    if size + HEAP_MAX_SIZE - used < heap.mp_[0].top_pad + MINSIZE + PAGE:
        return False
    arena.system_mem -= info.size_
    arena.fixed -= HEAP_INFO + fence
    return_pages(heap, slot_address(heap, slot), info.size_)
    delete_slot(heap, slot)
    if size > fence:
        p = end - size
        unlink_chunk(p)
        leave_bins(arena, size - fence)
        heap.counters[0].coalesces += 1
    arena.top = p
    set_head(p, size | PREV_INUSE)
    return True
