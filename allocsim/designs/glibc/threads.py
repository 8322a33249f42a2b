"""Threads: what starting and ending a thread of the program does to the heap.

Starting a thread may allocate its dynamic thread vector (nptl, pthread_create). Ending a thread
frees its cache and leaves its arena (arena.c, __malloc_arena_thread_freeres).
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import load_word
from allocsim.designs.glibc.arenas import arena_for_chunk
from allocsim.designs.glibc.chunks import CHUNK_HDR_SZ, chunk_is_mmapped
from allocsim.designs.glibc.int_free import int_free
from allocsim.designs.glibc.malloc import libc_calloc
from allocsim.designs.glibc.mmapped_chunks import munmap_chunk
from allocsim.designs.glibc.records import Glibc
from allocsim.designs.glibc.tcache import TCACHE_MAX_BINS, entry_number


@kernel
def thread_begin(heap: Glibc, thread: int) -> int:
    """Record that a thread has begun; its first call gives it a cache and an arena.

    Starting a thread allocates its dtv in the arena of the thread that starts it (here thread 0). A
    thread that reuses the stack of an ended thread also reuses that thread's dtv. Returns a Status.
    """
    mp = heap.mp_[0]
    if thread >= len(heap.thread):
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return Status.OUT_OF_MEMORY
    if thread:
        mp.multi_threaded = 1
        if mp.unused_stacks:
            mp.unused_stacks -= 1
        elif mp.dtv:
            return _allocate_dtv(heap)
    return Status.OK


@kernel
def _allocate_dtv(heap: Glibc) -> int:
    """Allocate the dtv of a new thread (allocate_dtv). Returns a Status."""
    return Status.OK if libc_calloc(heap, 0, heap.mp_[0].dtv) else Status.OUT_OF_MEMORY


@kernel
def thread_done(heap: Glibc, thread: int) -> int:
    """Free the cache of a thread and leave its arena. Returns Status.OK."""
    return end_thread(heap, thread)


@out_of_line
def end_thread(heap: Glibc, thread: int) -> int:
    """Free the cache of a thread and leave its arena (__malloc_arena_thread_freeres).

    An arena without threads keeps its memory for a later thread. Returns Status.OK.
    """
    if thread >= len(heap.thread) or heap.thread[thread].ended:
        return Status.OK
    record, mp = heap.thread[thread], heap.mp_[0]
    if record.tcache:
        _tcache_thread_shutdown(heap, thread)
    if record.arena:
        arena = heap.arena[record.arena - 1]
        arena.attached_threads -= 1
        if arena.attached_threads == 0:
            arena.next_free = mp.free_list
            mp.free_list = record.arena
        record.arena = 0
    record.ended = 1
    mp.unused_stacks += 1
    return Status.OK


@kernel
def _tcache_thread_shutdown(heap: Glibc, thread: int) -> None:
    """Free the cached chunks, then the block allocated for the cache.

    The chunks are freed by ascending size; among chunks of equal size, the newest is freed first.
    """
    for index in range(TCACHE_MAX_BINS):
        entry = heap.tcache[entry_number(thread, index)]
        entry.room = 0  # otherwise `int_free` would put the chunks back
        while entry.head:
            p = entry.head - CHUNK_HDR_SZ
            entry.head = load_word(entry.head)
            int_free(heap, arena_for_chunk(heap, p), thread, p)
    p = heap.thread[thread].tcache - CHUNK_HDR_SZ
    heap.thread[thread].tcache = 0
    if chunk_is_mmapped(p):
        munmap_chunk(heap, p)
    else:
        int_free(heap, arena_for_chunk(heap, p), thread, p)
