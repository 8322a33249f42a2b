"""realloc and memalign inside an arena (malloc.c, _int_realloc and _int_memalign).

realloc and memalign split chunks. A part that is not needed is freed like an object: a small part
goes to the cache of the thread or to a fastbin.
"""

from __future__ import annotations

from allocsim.core.jit import cold, kernel
from allocsim.core.raw import copy
from allocsim.designs.glibc.bins import leave_bins, unlink_chunk
from allocsim.designs.glibc.chunks import (
    CHUNK_HDR_SZ,
    IS_MMAPPED,
    MINSIZE,
    PREV_INUSE,
    SIZE_SZ,
    chunk_is_mmapped,
    chunksize,
    inuse_bit_at_offset,
    non_main_arena,
    prev_size,
    request2size,
    set_head,
    set_head_size,
    set_inuse_bit_at_offset,
    set_prev_size,
)
from allocsim.designs.glibc.int_free import int_free
from allocsim.designs.glibc.int_malloc import int_malloc
from allocsim.designs.glibc.records import Glibc, MallocState


@kernel
def int_realloc(heap: Glibc, av: int, thread: int, oldp: int, nb: int) -> int:
    """Resize a chunk of an arena to at least `nb` bytes; return its object, or 0 on failure.

    A chunk grows into top or into the free chunk after it, if there is enough room. Otherwise a new
    chunk is allocated. If the new chunk follows the old one, the two are merged (_int_realloc).
    """
    size = chunksize(oldp)
    if size < nb:
        if _grow_into_top(heap.arena[av], oldp, nb):
            return oldp + CHUNK_HDR_SZ
        size = _absorb_next(heap, heap.arena[av], oldp, nb)
    if size < nb:
        mem = int_malloc(heap, av, thread, nb)
        if mem == 0:
            return 0
        if mem - CHUNK_HDR_SZ != oldp + size:
            copy(mem, oldp + CHUNK_HDR_SZ, size - SIZE_SZ)
            int_free(heap, av, thread, oldp)
            return mem
        size += chunksize(mem - CHUNK_HDR_SZ)
        heap.counters[0].coalesces += 1
    _shrink(heap, av, thread, oldp, size, nb)
    return oldp + CHUNK_HDR_SZ


@kernel
def _grow_into_top(arena: MallocState, oldp: int, nb: int) -> bool:
    """Extend a chunk to `nb` bytes with bytes of top.

    Returns False, with nothing changed, if top does not follow the chunk or is too small.
    """
    size = chunksize(oldp)
    rest = size + chunksize(arena.top) - nb
    if oldp + size != arena.top or rest < MINSIZE:
        return False
    set_head_size(oldp, nb | arena.flag)
    arena.top = oldp + nb
    arena.used += nb - size
    set_head(arena.top, rest | PREV_INUSE)
    return True


@kernel
def _absorb_next(heap: Glibc, arena: MallocState, oldp: int, nb: int) -> int:
    """Merge a chunk with the free chunk after it if both together have `nb` bytes.

    Returns the new size, or the old size if the next chunk cannot be used. The caller writes the
    head.
    """
    size = chunksize(oldp)
    following = oldp + size
    nextsize = chunksize(following)
    if following == arena.top or size + nextsize < nb or inuse_bit_at_offset(following, nextsize):
        return size
    unlink_chunk(following)
    leave_bins(arena, nextsize)
    arena.used += nextsize
    heap.counters[0].coalesces += 1
    return size + nextsize


@kernel
def _shrink(heap: Glibc, av: int, thread: int, p: int, size: int, nb: int) -> None:
    """Shorten a chunk to `nb` of its `size` bytes; free the rest, unless the rest is too small."""
    set_inuse_bit_at_offset(p, size)
    if size - nb < MINSIZE:
        set_head_size(p, size | non_main_arena(p))
    else:
        _free_tail(heap, av, thread, p, size, nb)


@kernel
def _free_tail(heap: Glibc, av: int, thread: int, p: int, size: int, nb: int) -> None:
    """Shorten a chunk in use to its first `nb` bytes, and free the rest."""
    flag = non_main_arena(p)
    set_head(p + nb, (size - nb) | PREV_INUSE | flag)
    set_head_size(p, nb | flag)
    heap.counters[0].splits += 1
    int_free(heap, av, thread, p + nb)


@cold
def int_memalign(heap: Glibc, av: int, thread: int, alignment: int, request: int) -> int:
    """Return an object at a multiple of `alignment`, or 0 on failure.

    `alignment` must be at least MINSIZE. The function allocates a chunk that is large enough at any
    start address, and frees the unused ends of the chunk. If the chunk has a mapping of its own,
    the ends are not freed (_int_memalign).
    """
    nb = request2size(request)
    mem = int_malloc(heap, av, thread, request2size(nb + alignment + MINSIZE))
    if mem == 0:
        return 0
    p = mem - CHUNK_HDR_SZ
    if mem & (alignment - 1):
        aligned = ((mem + alignment - 1) & -alignment) - CHUNK_HDR_SZ
        if aligned - p < MINSIZE:
            aligned += alignment
        if chunk_is_mmapped(p):
            set_prev_size(aligned, prev_size(p) + aligned - p)
            set_head(aligned, (chunksize(p) - (aligned - p)) | IS_MMAPPED)
            return aligned + CHUNK_HDR_SZ
        p = _free_head(heap, av, thread, p, aligned)
    if not chunk_is_mmapped(p) and chunksize(p) > nb + MINSIZE:
        _free_tail(heap, av, thread, p, chunksize(p), nb)
    return p + CHUNK_HDR_SZ


@kernel
def _free_head(heap: Glibc, av: int, thread: int, p: int, aligned: int) -> int:
    """Free the part of a chunk before `aligned`; return the rest, a chunk in use."""
    flag, size = non_main_arena(p), chunksize(p) - (aligned - p)
    set_head(aligned, size | PREV_INUSE | flag)
    set_inuse_bit_at_offset(aligned, size)
    set_head_size(p, (aligned - p) | flag)
    heap.counters[0].splits += 1
    int_free(heap, av, thread, p)
    return aligned
