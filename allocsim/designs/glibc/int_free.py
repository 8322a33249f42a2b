"""free inside an arena: merging, consolidation and trimming (malloc.c, _int_free).

A chunk goes to the thread's cache if the cache has room for its size. Otherwise a small chunk goes
to a fastbin, and any other chunk is merged with its free neighbours. If top is a neighbour, the
chunk becomes part of top. Otherwise it goes to the unsorted list, never straight to a bin.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import load_word, store_word
from allocsim.core.system import return_pages, take_pages
from allocsim.designs.glibc.bins import NFASTBINS, fastbin, insert_unsorted, unlink_chunk
from allocsim.designs.glibc.chunks import (
    CHUNK_HDR_SZ,
    MINSIZE,
    PREV_INUSE,
    align_down,
    chunksize,
    clear_inuse_bit_at_offset,
    fd,
    inuse_bit_at_offset,
    prev_inuse,
    prev_size,
    set_fd,
    set_head,
)
from allocsim.designs.glibc.heaps import heap_trim
from allocsim.designs.glibc.records import Glibc, MallocState
from allocsim.designs.glibc.tcache import csize2tidx, has_room, tcache_put

FASTBIN_CONSOLIDATION_THRESHOLD = 65536
"""A free that results in a chunk of this many bytes or more consolidates the fastbins, and may trim
top."""


@out_of_line
def int_free(heap: Glibc, av: int, thread: int, p: int) -> int:
    """Free a chunk of an arena on a thread (_int_free). Returns a Status."""
    size = chunksize(p)
    if has_room(heap, thread, csize2tidx(size)):
        tcache_put(heap, thread, p + CHUNK_HDR_SZ, csize2tidx(size))
        return Status.OK
    return int_free_chunk(heap, av, p, size)


@kernel
def int_free_chunk(heap: Glibc, av: int, p: int, size: int) -> int:
    """Free a chunk that no cache takes (_int_free_chunk since 2.41).

    Returns a Status; nothing changes unless it is OK.
    """
    arena = heap.arena[np.uint64(av)]
    if size <= heap.mp_[0].global_max_fast:
        newest = fastbin(arena, size)
        old = load_word(newest)
        if old == p:
            return Status.UNKNOWN_POINTER  # "double free or corruption (fasttop)"
        arena.have_fastchunks = 1
        arena.fast += size
        arena.fast_chunks += 1
        arena.used -= size
        set_fd(p, old)
        store_word(newest, p)
        return Status.OK
    arena.used -= size
    if merge_chunk(heap, arena, p, size) >= FASTBIN_CONSOLIDATION_THRESHOLD:
        trim_large(heap, av)
    return Status.OK


@kernel
def is_fasttop(heap: Glibc, av: int, p: int) -> bool:
    """Return whether a chunk is the newest of a fastbin."""
    size = chunksize(p)
    return size <= heap.mp_[0].global_max_fast and load_word(fastbin(heap.arena[av], size)) == p


@kernel
def merge_chunk(heap: Glibc, arena: MallocState, p: int, size: int) -> int:
    """Merge a chunk with its free neighbours; put the result on the unsorted list.

    If top is one of the neighbours, the merged chunk becomes top, and is on no list. The caller has
    subtracted the chunk from `used` or `fast`; here it is added to `binned`, unless it becomes part
    of top. Returns the size of the merged chunk.
    """
    counters, nextchunk, freed = heap.counters[0], p + size, size
    if not prev_inuse(p):
        p -= prev_size(p)
        size = nextchunk - p
        unlink_chunk(p)
        arena.binned_chunks -= 1
        counters.coalesces += 1
    nextsize = chunksize(nextchunk)
    if nextchunk == arena.top:
        size += nextsize
        set_head(p, size | PREV_INUSE)
        arena.top = p
        arena.binned -= nextchunk - p - freed
        counters.coalesces += 1
        return size
    if inuse_bit_at_offset(nextchunk, nextsize):
        clear_inuse_bit_at_offset(nextchunk, 0)
    else:
        unlink_chunk(nextchunk)
        size += nextsize
        arena.binned_chunks -= 1
        counters.coalesces += 1
    insert_unsorted(arena, p, size)
    arena.binned += freed
    arena.binned_chunks += 1
    return size


@out_of_line
def malloc_consolidate(heap: Glibc, av: int) -> int:
    """Empty the fastbins and merge their chunks (malloc_consolidate). Returns Status.OK.

    Small sizes come first; within a size, the newest chunk comes first. Nothing is trimmed, however
    large the merged chunks are.
    """
    arena = heap.arena[av]
    arena.have_fastchunks = arena.fast = arena.fast_chunks = 0
    for index in range(NFASTBINS):
        newest = arena.fastbins + 8 * index
        p = load_word(newest)
        store_word(newest, 0)
        while p:
            following = fd(p)
            merge_chunk(heap, arena, p, chunksize(p))
            p = following
    return Status.OK


@out_of_line
def trim_large(heap: Glibc, av: int) -> int:
    """Consolidate an arena after a large free, and trim its top if top has reached trim_threshold.

    Returns Status.OK.
    """
    arena, mp = heap.arena[av], heap.mp_[0]
    if arena.have_fastchunks:
        malloc_consolidate(heap, av)
    if av:
        heap_trim(heap, av)
    elif chunksize(arena.top) >= mp.trim_threshold:
        systrim(heap, mp.top_pad)
    return Status.OK


@out_of_line
def systrim(heap: Glibc, pad: int) -> int:
    """Lower the break so that about `pad` bytes of the main arena's top are left (systrim).

    Returns how many bytes went back to the OS. As in the library, a call with a top of MINSIZE
    bytes and a pad of 0 raises the break by a page, and returns -4096: the library computes that
    -1 bytes can be trimmed, and compares this as an unsigned number.
    """
    arena, system = heap.arena[0], heap.system[0]
    top_size = chunksize(arena.top)
    area = top_size - MINSIZE - 1
    if 0 <= area <= pad:
        return 0
    extra = align_down(area - pad)
    if extra == 0 or arena.top + top_size != system.next:
        return 0
    if extra > 0:
        system.next -= extra
        return_pages(heap, system.next, extra)
    elif take_pages(heap, -extra) == 0:
        return 0
    arena.system_mem -= extra
    set_head(arena.top, (top_size - extra) | PREV_INUSE)
    return extra
