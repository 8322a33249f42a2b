"""The records of a glibc heap, and the state that holds them.

Each record has the name of a struct of glibc 2.36 (malloc.c, arena.c). A field that models a member
of the struct has the member's name. Some other fields hold counts that the library computes by
walking its lists. Walking them would take too long here, because every measurement (sample) needs
the counts. `size_` has an underscore because every NumPy record has an attribute `size`. In pure
mode (no compilation, see `jit.PURE`), this attribute would hide a field of the same name.

The chunks themselves are in the heap's memory, headers included, as in the library (see `chunks`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allocsim.core.records import Counters, Int64, Struct, System, Table


class MallocPar(Struct):
    """The parameters and statistics of the process (struct malloc_par, and malloc.c's statics)."""

    trim_threshold: Int64  # bytes; if top is at least as large, a free tries to trim top
    top_pad: Int64  # bytes added to every growth of the main arena and to every new heap
    mmap_threshold: Int64  # chunk size from which a request gets a mapping of its own
    arena_test: Int64  # number of arenas above which `narenas_limit` is computed
    arena_max: Int64  # limit of the number of arenas; 0: derived from `cores`
    cores: Int64  # processors of the machine (get_nprocs)
    n_mmaps: Int64  # number of mappings of chunks
    n_mmaps_max: Int64  # maximum number of mappings; beyond it, arenas serve large requests too
    no_dyn_threshold: Int64  # 1: the thresholds are fixed
    mmapped_mem: Int64  # bytes of all mappings of chunks
    sbrk_base: Int64  # address of the first chunk of the main arena
    tcache_bins: Int64  # number of chunk sizes that are cached
    tcache_count: Int64  # maximum number of chunks of a size in a thread's cache
    tcache_unsorted_limit: Int64  # limit of tcache_unsorted_count once a chunk is cached; 0: none
    tcache_unsorted_count: Int64  # chunks that finished searches of the current call have binned
    global_max_fast: Int64  # maximum size of a chunk in a fastbin; 16: fastbins are off
    narenas: Int64  # number of arenas
    narenas_limit: Int64  # limit of `narenas`; 0: not set yet
    free_list: Int64  # head of the list of arenas without threads, plus 1; 0 if none
    next_to_use: Int64  # arena at which reused_arena starts
    initialized: Int64  # 1: the first thread that called malloc has got the main arena
    threads: Int64  # highest number of a thread that has had a cache, plus 1
    multi_threaded: Int64  # 1: a second thread has begun (SINGLE_THREAD_P is false)
    start: Int64  # address of the first byte of the reservation
    length: Int64  # bytes of the reservation
    first_slot: Int64  # number of the 64 MiB slot that contains the reservation's first byte
    unused_heap: Int64  # head of the list of slots whose heaps were deleted, plus 1; 0 if none
    dtv: Int64  # bytes of the dtv (table of TLS blocks) that a new thread allocates; 0: none
    unused_stacks: Int64  # number of stacks of ended threads; a later thread reuses one and its dtv
    stack_bytes: Int64  # bytes of stack segments (allocate_stack)


class MallocState(Struct):
    """An arena (struct malloc_state). Its lists are in a row of `Glibc.lists`."""

    top: Int64  # the top chunk
    last_remainder: Int64  # rest of the last chunk that was split for a small request
    have_fastchunks: Int64  # 1 if a chunk was put into a fastbin since the last consolidation
    flag: Int64  # NON_MAIN_ARENA, or 0 for the main arena; a flag in the heads of its chunks
    fastbins: Int64  # address of its fastbins, see `bins.fastbin`
    binmap: Int64  # address of the binmap: a bit for each bin, 1 if the bin may have chunks
    bins: Int64  # address of its bins, see `bins.bin_at`
    next: Int64  # next arena in the circular list of all arenas
    next_free: Int64  # next arena without threads, plus 1; 0 if none
    attached_threads: Int64  # number of threads that use this arena
    system_mem: Int64  # bytes obtained from the operating system
    max_system_mem: Int64  # maximum of system_mem
    used: Int64  # bytes of chunks in use, among them those in thread caches
    fast: Int64  # bytes of chunks in fastbins
    fast_chunks: Int64  # number of chunks in fastbins
    binned: Int64  # bytes of chunks in the unsorted list and in bins
    binned_chunks: Int64  # number of chunks in the unsorted list and in bins
    fixed: Int64  # bytes of heap and arena headers and of fence posts


class HeapInfo(Struct):
    """A heap of an arena other than the main one (heap_info), in a 64 MiB slot of addresses."""

    ar_ptr: Int64  # its arena; 0 if no heap is in the slot (the main arena, number 0, has no heaps)
    prev: Int64  # 1 + slot of the previous heap; in an unused slot, 1 + next unused slot; 0: none
    size_: Int64  # bytes in use, from the slot's start
    mprotect_size: Int64  # maximum of size_


class Thread(Struct):
    """A thread of the program (the thread-local variables of malloc.c)."""

    arena: Int64  # arena to allocate from, plus 1; 0 if none yet (thread_arena)
    tcache: Int64  # address of the block for the cache (tcache_perthread_struct); 0 if none yet
    ended: Int64  # 1: the thread has ended, and no later one with its number has called malloc


class TcacheEntry(Struct):
    """The cached chunks of one size (an element of tcache_perthread_struct)."""

    head: Int64  # address of the newest cached object, whose first word links to the next
    room: Int64  # number of chunks that still fit; 0 while there is no cache


class Kind(IntEnum):
    """The use of a range of pages (`address_space` describes the ranges)."""

    UNUSED = 0
    """No range starts at this page. Also set for a moment while the use of a range changes."""
    FREE = 1
    CHUNK = 2
    """The mapping of one chunk."""
    STACK = 3
    """A stack segment."""
    HEAP = 4
    """A 64 MiB slot for heaps."""


class Mapping(Struct):
    """A range of pages. The index of its record is 1 more than the number of its first page."""

    pages: Int64  # length
    kind: Int64  # a Kind
    below: Int64  # the range that ends where this one starts; undefined if there is no such range
    next: Int64  # of a free range: the next in its list; of a list's head: the first range
    previous: Int64  # of a free range: the previous in its list, or the list's head


class Glibc(NamedTuple):
    """The state of a glibc heap."""

    code: np.recarray  # one record: addresses of out-of-line kernels, see CODE in `__init__`
    system: Table[System]  # one record
    counters: Table[Counters]  # one record
    mp_: Table[MallocPar]  # one record
    arena: Table[MallocState]  # by number; 0 is the main arena
    lists: np.ndarray  # a row of int64 for each arena, read by address: see `bins`
    heap_info: Table[HeapInfo]  # by slot
    thread: Table[Thread]  # by thread
    tcache: Table[TcacheEntry]  # by thread and index of the size: see `tcache.entry_number`
    mapping: Table[Mapping]  # by number; 0 is the null range, the last ones are heads of lists
