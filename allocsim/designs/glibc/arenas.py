"""Arenas (arena.c): which arena a thread allocates from.

The first thread that allocates gets the main arena. Any other thread gets an arena at its first
allocation. If ended threads have left arenas unused, the thread gets the arena that was left last.
Otherwise it gets a new arena. Once the number of arenas has reached a limit, further threads share
the existing arenas in turn. The library skips an arena that another thread has locked; here
no arena is ever locked.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.designs.glibc.bins import BINS, FASTBINS, LIST_WORDS, NBINS
from allocsim.designs.glibc.chunks import (
    MALLOC_ALIGNMENT,
    NON_MAIN_ARENA,
    PREV_INUSE,
    non_main_arena,
    request2size,
    set_bk,
    set_fd,
    set_head,
)
from allocsim.designs.glibc.heaps import (
    FIRST_CHUNK,
    HEAP_INFO,
    MALLOC_STATE,
    new_heap,
    slot_address,
    slot_of,
)
from allocsim.designs.glibc.int_malloc import int_malloc
from allocsim.designs.glibc.records import Glibc
from allocsim.designs.glibc.tcache import TCACHE_BLOCK, open_tcache

ARENAS_PER_CORE = 8
"""Maximum number of arenas per processor of a 64-bit machine (NARENAS_FROM_NCORES)."""


@kernel
def arena_for_chunk(heap: Glibc, p: int) -> int:
    """Return the arena of a chunk without a mapping of its own (arena_for_chunk)."""
    if non_main_arena(p):
        return heap.heap_info[slot_of(heap, p)].ar_ptr
    return 0


@kernel
def malloc_init_state(heap: Glibc, av: int) -> None:
    """Empty the lists of an arena, and make its top a chunk of 0 bytes (malloc_init_state)."""
    arena = heap.arena[av]
    row = heap.arena[0].binmap + av * LIST_WORDS * 8
    arena.binmap, arena.fastbins, arena.bins = row, row + FASTBINS * 8, row + BINS * 8
    for index in range(1, NBINS):
        head = arena.bins + (index - 1) * 16  # see `bins.bin_at`
        set_fd(head, head)
        set_bk(head, head)
    arena.flag = NON_MAIN_ARENA if av else 0
    arena.top = arena.bins


@kernel
def arena_get(heap: Glibc, thread: int, size: int) -> int:
    """Return the arena of a thread, or -1 if the thread cannot get one (arena_get)."""
    av = heap.thread[thread].arena - 1
    return av if av >= 0 else arena_get2(heap, thread, size)


@out_of_line
def arena_get2(heap: Glibc, thread: int, size: int) -> int:
    """Choose an arena for a thread that has none, or whose arena has failed (arena_get2).

    Returns -1 on failure. The heap of a new arena has room for a request of `size` bytes.
    """
    mp, record = heap.mp_[0], heap.thread[thread]
    if record.ended:  # a new thread with the number of an ended one
        record.ended = 0
        mp.unused_stacks -= 1
    if not mp.initialized:  # ptmalloc_init
        mp.initialized = record.arena = 1
        return 0
    if mp.free_list:
        av = mp.free_list - 1
        mp.free_list = heap.arena[av].next_free
        return _attach(heap, thread, av)
    if mp.narenas_limit == 0:
        if mp.arena_max:
            mp.narenas_limit = mp.arena_max
        elif mp.narenas > mp.arena_test:
            mp.narenas_limit = ARENAS_PER_CORE * mp.cores
    if mp.narenas_limit == 0 or mp.narenas < mp.narenas_limit:
        av = _int_new_arena(heap, size)
        return _attach(heap, thread, av) if av >= 0 else av
    av = mp.next_to_use  # reused_arena
    mp.next_to_use = heap.arena[av].next
    return _attach(heap, thread, av)


@kernel
def _attach(heap: Glibc, thread: int, av: int) -> int:
    """Give a thread an arena; return the arena's number."""
    record = heap.thread[thread]
    if record.arena:
        heap.arena[record.arena - 1].attached_threads -= 1
    heap.arena[av].attached_threads += 1
    record.arena = av + 1
    return av


@kernel
def _int_new_arena(heap: Glibc, size: int) -> int:
    """Create an arena with a heap that has room for `size` bytes; return -1 on failure.

    If the request is too large for a heap, the arena is created without room for it, because the
    request gets a mapping of its own (_int_new_arena).
    """
    mp, headers = heap.mp_[0], HEAP_INFO + MALLOC_STATE + MALLOC_ALIGNMENT
    if mp.narenas >= len(heap.arena):
        return -1
    slot = new_heap(heap, headers + min(size, 1 << 40))
    if slot < 0:
        slot = new_heap(heap, headers)
    if slot < 0:
        return -1
    av = mp.narenas
    mp.narenas += 1
    arena, main, info = heap.arena[av], heap.arena[0], heap.heap_info[slot]
    counters = heap.counters[0]
    malloc_init_state(heap, av)
    info.ar_ptr = av
    arena.system_mem = arena.max_system_mem = info.size_
    arena.fixed = FIRST_CHUNK
    arena.top = slot_address(heap, slot) + FIRST_CHUNK
    set_head(arena.top, (info.size_ - FIRST_CHUNK) | PREV_INUSE)
    arena.next = main.next
    main.next = av
    counters.grows += 1
    counters.spans += 1
    return av


@kernel
def malloc_in_arena(heap: Glibc, thread: int, request: int) -> int:
    """Return an object from the arena of a thread, or 0 on failure."""
    nb, av = request2size(request), arena_get(heap, thread, request)
    mem = int_malloc(heap, av, thread, nb)
    return mem if mem else malloc_retry(heap, av, thread, request)


@out_of_line
def malloc_retry(heap: Glibc, av: int, thread: int, request: int) -> int:
    """Allocate from another arena because `av` had no memory; return 0 on failure.

    The other arena is the main one. If `av` is the main arena itself, `arena_get2` chooses another.
    A process that never had a second thread does not try again (arena_get_retry).
    """
    if av < 0 or not heap.mp_[0].multi_threaded:
        return 0
    av = arena_get_retry(heap, av, thread, request)
    return int_malloc(heap, av, thread, request2size(request))


@kernel
def arena_get_retry(heap: Glibc, av: int, thread: int, request: int) -> int:
    """Return the arena to try after `av` has failed, or -1 if none (arena_get_retry)."""
    return 0 if av else arena_get2(heap, thread, request)


@out_of_line
def tcache_init(heap: Glibc, thread: int) -> int:
    """Allocate the block of a thread's cache, before the thread's first request (tcache_init).

    Returns a Status. On failure, the thread has no cache, and its next call tries again.
    """
    block = malloc_in_arena(heap, thread, TCACHE_BLOCK)
    if block == 0:
        return Status.OUT_OF_MEMORY
    open_tcache(heap, thread, block)
    return Status.OK
