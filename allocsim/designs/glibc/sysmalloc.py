"""sysmalloc: memory from the operating system for a request that no free chunk fits (malloc.c).

A large request gets a mapping of its own. For any other request, the main arena moves the
break; any other arena grows its newest heap or gets a new heap. The chunk is then taken from the
new top.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.out_of_line import out_of_line
from allocsim.core.system import take_pages
from allocsim.designs.glibc.address_space import mmap
from allocsim.designs.glibc.chunks import (
    CHUNK_HDR_SZ,
    IS_MMAPPED,
    MINSIZE,
    NON_MAIN_ARENA,
    PREV_INUSE,
    SIZE_SZ,
    align_up,
    chunksize,
    set_foot,
    set_head,
    set_prev_size,
)
from allocsim.designs.glibc.heaps import (
    HEAP_INFO,
    grow_heap,
    new_heap,
    slot_address,
    slot_of,
)
from allocsim.designs.glibc.int_free import int_free
from allocsim.designs.glibc.records import Glibc, Kind, MallocState


@kernel
def use_top(heap: Glibc, arena: MallocState, nb: int) -> int:
    """Take a chunk from the low end of top; return its object, or 0 if top is too small."""
    p, size = arena.top, chunksize(arena.top)
    if size < nb + MINSIZE:
        return 0
    arena.top = p + nb
    arena.used += nb
    heap.counters[0].splits += 1
    set_head(p, nb | PREV_INUSE | arena.flag)
    set_head(p + nb, (size - nb) | PREV_INUSE)
    return p + CHUNK_HDR_SZ


@out_of_line
def sysmalloc(heap: Glibc, av: int, thread: int, nb: int) -> int:
    """Return an object whose chunk has `nb` bytes, or 0 on failure (sysmalloc).

    `av` is -1 if the thread has no arena and none can be created. The request then gets a mapping
    of its own, whatever its size.
    """
    mp, tried_mmap = heap.mp_[0], False
    if av < 0 or (nb >= mp.mmap_threshold and mp.n_mmaps < mp.n_mmaps_max):
        mem = _sysmalloc_mmap(heap, nb)
        if mem or av < 0:
            return mem
        tried_mmap = True
    if av == 0:
        _grow_main_arena(heap, nb)
    elif not _grow_arena(heap, av, thread, nb) and not tried_mmap:
        mem = _sysmalloc_mmap(heap, nb)
        if mem:
            return mem
    arena = heap.arena[av]
    if arena.system_mem > arena.max_system_mem:
        arena.max_system_mem = arena.system_mem
    return use_top(heap, arena, nb)


@kernel
def _sysmalloc_mmap(heap: Glibc, nb: int) -> int:
    """Return an object with a mapping of its own, or 0 on failure (sysmalloc_mmap)."""
    size = align_up(nb + SIZE_SZ)
    p = mmap(heap, size, Kind.CHUNK)
    if p == 0:
        return 0
    set_prev_size(p, 0)
    set_head(p, size | IS_MMAPPED)
    mp = heap.mp_[0]
    mp.n_mmaps += 1
    mp.mmapped_mem += size
    heap.counters[0].grows += 1
    return p + CHUNK_HDR_SZ


@kernel
def _grow_main_arena(heap: Glibc, nb: int) -> None:
    """Move the break so that top holds `nb` bytes and top_pad more; no change on failure."""
    arena, mp = heap.arena[0], heap.mp_[0]
    old_size = chunksize(arena.top)
    size = align_up(nb + mp.top_pad + MINSIZE - old_size)
    brk = take_pages(heap, size)
    if brk == 0:
        return
    if old_size == 0:
        arena.top = mp.sbrk_base = brk
        heap.counters[0].spans += 1
    arena.system_mem += size
    heap.counters[0].grows += 1
    set_head(arena.top, (old_size + size) | PREV_INUSE)


@kernel
def _grow_arena(heap: Glibc, av: int, thread: int, nb: int) -> bool:
    """Grow the newest heap of an arena, or add a new heap; return False on failure."""
    arena, old_top = heap.arena[av], heap.arena[av].top
    slot, old_size = slot_of(heap, old_top), chunksize(old_top)
    grown = grow_heap(heap, slot, MINSIZE + nb - old_size)
    if grown:
        arena.system_mem += grown
        set_head(old_top, (old_size + grown) | PREV_INUSE)
    else:
        new = new_heap(heap, nb + MINSIZE + HEAP_INFO)
        if new < 0:
            return False
        info = heap.heap_info[new]
        info.ar_ptr, info.prev = av, slot + 1
        arena.system_mem += info.size_
        arena.fixed += HEAP_INFO
        arena.top = slot_address(heap, new) + HEAP_INFO
        set_head(arena.top, (info.size_ - HEAP_INFO) | PREV_INUSE)
        _set_fence_posts(heap, av, thread, old_top, old_size)
    heap.counters[0].grows += 1
    return True


@kernel
def _set_fence_posts(heap: Glibc, av: int, thread: int, old_top: int, old_size: int) -> None:
    """End a heap with fence posts, and free what is left of its top ("Setup fencepost").

    If much is left, freeing it can cause a trim, which may even delete the heap just added.
    """
    arena, size = heap.arena[av], (old_size - MINSIZE) & -16
    fence = old_top + size
    set_head(fence + CHUNK_HDR_SZ, PREV_INUSE)
    if size < MINSIZE:
        set_head(old_top, (size + CHUNK_HDR_SZ) | PREV_INUSE)
        set_foot(old_top, size + CHUNK_HDR_SZ)
        arena.fixed += old_size
        return
    set_head(fence, CHUNK_HDR_SZ | PREV_INUSE)
    set_foot(fence, CHUNK_HDR_SZ)
    set_head(old_top, size | PREV_INUSE | NON_MAIN_ARENA)
    arena.fixed += old_size - size
    arena.used += size
    heap.counters[0].spans += 1
    int_free(heap, av, thread, old_top)
