"""malloc, free and related calls (malloc.c, __libc_malloc and others).

Most calls end here: malloc pops the thread's cache, free pushes on it. calloc, memalign and a
growing realloc do not take from the cache in this version. If the library detects an invalid
pointer, it aborts; here such a call returns a Status, or 0, and changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.core.jit import cold, kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import copy, fill, load_word
from allocsim.designs.glibc.address_space import find_mapping, mmap, munmap
from allocsim.designs.glibc.arenas import (
    arena_for_chunk,
    arena_get,
    arena_get_retry,
    malloc_in_arena,
    malloc_retry,
    tcache_init,
)
from allocsim.designs.glibc.chunks import (
    CHUNK_HDR_SZ,
    MALLOC_ALIGNMENT,
    MAX_REQUEST,
    MINSIZE,
    SIZE_SZ,
    align_up,
    chunk_is_mmapped,
    chunksize,
    request2size,
)
from allocsim.designs.glibc.heaps import slot_address, slot_of
from allocsim.designs.glibc.int_free import int_free, int_free_chunk, is_fasttop
from allocsim.designs.glibc.int_malloc import int_malloc
from allocsim.designs.glibc.mmapped_chunks import free_mmapped, mremap_chunk, munmap_chunk
from allocsim.designs.glibc.pointers import allocated_size, chunk_status, is_inside, object_status
from allocsim.designs.glibc.realloc import int_memalign, int_realloc
from allocsim.designs.glibc.records import Glibc, Kind
from allocsim.designs.glibc.tcache import (
    MAX_TCACHE_SIZE,
    TCACHE_KEY,
    UNCACHED,
    csize2tidx,
    entry_number,
    is_cached,
    tcache_get,
    tcache_put,
)


@kernel
def malloc(heap: Glibc, thread: int, request: int) -> int:
    """Allocate an object from the thread's cache, or else from its arena (__libc_malloc)."""
    number: Any = np.int64(thread)  # of one type for all callers, so that callees compile once
    if request <= MAX_TCACHE_SIZE:
        tc_idx = csize2tidx(request2size(request))
        if heap.tcache[entry_number(number, tc_idx)].head:
            return tcache_get(heap, number, tc_idx)
    if heap.thread[number].tcache == 0:
        tcache_init(heap, number)
    return malloc_in_arena(heap, number, request)


@kernel
def free(heap: Glibc, thread: int, address: int) -> int:
    """Free an object (__libc_free): push it on the thread's cache, or else call `free_uncached`.

    Returns a Status: UNKNOWN_POINTER for an address that is outside the heap or not aligned.
    """
    if not is_inside(heap, address) or address & (MALLOC_ALIGNMENT - 1):
        return Status.UNKNOWN_POINTER
    number: Any = np.int64(thread)  # see `malloc`
    offset = load_word(address - SIZE_SZ) - MINSIZE
    tc_idx = offset >> 4
    if (
        offset & UNCACHED == 0
        and heap.tcache[entry_number(number, tc_idx)].room > 0
        and load_word(address + 8) != TCACHE_KEY
    ):
        tcache_put(heap, number, address, tc_idx)
        return Status.OK
    return free_uncached(heap, thread, address)


@out_of_line
def free_uncached(heap: Glibc, thread: int, address: int) -> int:
    """Free an object of any kind; `address` is aligned, and inside the heap.

    Returns a Status; nothing changes unless it is OK.
    """
    p = address - CHUNK_HDR_SZ
    status = chunk_status(heap, p)
    if status != Status.OK:
        return status
    if chunk_is_mmapped(p):
        return free_mmapped(heap, p)
    av = arena_for_chunk(heap, p)
    if heap.thread[np.uint64(thread)].tcache == 0 or load_word(address + 8) == TCACHE_KEY:
        return _free_with_cache(heap, av, thread, address)
    return int_free_chunk(heap, av, p, chunksize(p))


@cold
def _free_with_cache(heap: Glibc, av: int, thread: int, address: int) -> int:
    """Free an object for a thread without a cache, or an object that contains TCACHE_KEY.

    Returns a Status; nothing changes unless it is OK.
    """
    p = address - CHUNK_HDR_SZ
    if is_cached(heap, thread, address, chunksize(p)) or is_fasttop(heap, av, p):
        return Status.UNKNOWN_POINTER
    if heap.thread[thread].tcache == 0:
        tcache_init(heap, thread)
    return int_free(heap, av, thread, p)


@kernel
def calloc(heap: Glibc, thread: int, request: int) -> int:
    """Allocate an object and clear it."""
    return libc_calloc(heap, thread, request)


@out_of_line
def libc_calloc(heap: Glibc, thread: int, request: int) -> int:
    """Allocate from the arena of a thread and clear the object (__libc_calloc).

    Memory that is fresh from the operating system is not cleared.
    """
    if heap.thread[thread].tcache == 0:
        tcache_init(heap, thread)
    av = arena_get(heap, thread, request)
    oldtop = oldtopsize = 0
    if av >= 0:
        oldtop, oldtopsize = heap.arena[av].top, _size_once_used(heap, av)
    mem = int_malloc(heap, av, thread, request2size(request))
    if mem == 0:
        mem = malloc_retry(heap, av, thread, request)
    p = mem - CHUNK_HDR_SZ
    if mem == 0 or chunk_is_mmapped(p):
        return mem
    csz = chunksize(p)
    if p == oldtop and csz > oldtopsize:
        csz = oldtopsize
    fill(mem, csz - SIZE_SZ, 0)
    return mem


@kernel
def _size_once_used(heap: Glibc, av: int) -> int:
    """Return how many bytes, from the start of the top chunk on, may have been used before.

    In the main arena, these bytes reach to the highest end that the arena has had so far. In any
    other arena, they reach to the highest end that the heap of the top chunk has had so far.
    """
    arena = heap.arena[av]
    if av == 0:
        used = heap.mp_[0].sbrk_base + arena.max_system_mem - arena.top
    else:
        slot = slot_of(heap, arena.top)
        used = slot_address(heap, slot) + heap.heap_info[slot].mprotect_size - arena.top
    return max(used, chunksize(arena.top))


@kernel
def realloc(heap: Glibc, thread: int, address: int, request: int) -> int:
    """Resize an object, perhaps moving it."""
    return libc_realloc(heap, thread, address, request)


@out_of_line
def libc_realloc(heap: Glibc, thread: int, address: int, request: int) -> int:
    """Resize an object in its arena or in its mapping; return 0 on failure (__libc_realloc).

    An object with a mapping of its own keeps the mapping even if it becomes small.
    """
    status = object_status(heap, address)
    if status != Status.OK:
        heap.system[0].refusal = status
        return 0
    p, nb = address - CHUNK_HDR_SZ, request2size(request)
    if chunk_is_mmapped(p):
        resized = mremap_chunk(heap, p, nb)
        if resized:
            return resized + CHUNK_HDR_SZ
        return address if chunksize(p) - SIZE_SZ >= nb else _move(heap, thread, address, request)
    if heap.thread[thread].tcache == 0:
        tcache_init(heap, thread)
    mem = int_realloc(heap, arena_for_chunk(heap, p), thread, p, nb)
    if mem or not heap.mp_[0].multi_threaded:
        return mem
    return _move(heap, thread, address, request)


@cold
def _move(heap: Glibc, thread: int, address: int, request: int) -> int:
    """Move an object that could not be resized; return 0, with nothing changed, on failure."""
    mem, p = malloc(heap, thread, request), address - CHUNK_HDR_SZ
    if mem:
        copy(mem, address, allocated_size(heap, address))
        if chunk_is_mmapped(p):
            munmap_chunk(heap, p)
        else:
            int_free(heap, arena_for_chunk(heap, p), thread, p)
    return mem


@kernel
def memalign(heap: Glibc, thread: int, alignment: int, request: int) -> int:
    """Allocate an object at a multiple of `alignment`."""
    return mid_memalign(heap, thread, alignment, request)


@out_of_line
def mid_memalign(heap: Glibc, thread: int, alignment: int, request: int) -> int:
    """Allocate an aligned object from the arena of a thread; return 0 on failure (_mid_memalign).

    Every object is aligned to 16 bytes. A call for a larger alignment does not create the thread's
    cache.
    """
    if 0 < alignment <= MALLOC_ALIGNMENT:
        return malloc(heap, thread, request)
    if not 0 < alignment <= MAX_REQUEST or request >= MAX_REQUEST:
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    if alignment < MINSIZE:
        alignment = MINSIZE
    av = arena_get(heap, thread, request + alignment + MINSIZE)
    mem = int_memalign(heap, av, thread, alignment, request)
    if mem == 0 and av >= 0 and heap.mp_[0].multi_threaded:
        av = arena_get_retry(heap, av, thread, request)
        mem = int_memalign(heap, av, thread, alignment, request)
    return mem


@kernel
def allocate_stack(heap: Glibc, request: int) -> int:
    """Map a stack segment, as pthread_create does: whole pages that `free` does not accept."""
    length = align_up(max(min(request, MAX_REQUEST), 1))
    address = mmap(heap, length, Kind.STACK)
    if address:
        heap.mp_[0].stack_bytes += length
    return address


@kernel
def free_stack(heap: Glibc, address: int) -> int:
    """Unmap a stack segment."""
    number = find_mapping(heap, address, Kind.STACK) if is_inside(heap, address) else 0
    if number == 0:
        return Status.UNKNOWN_POINTER
    heap.mp_[0].stack_bytes -= munmap(heap, number)
    return Status.OK
