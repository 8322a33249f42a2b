"""malloc inside an arena: the search for a chunk (malloc.c, _int_malloc).

The order is: the fastbin of the size; the small bin of the size; the unsorted list, whose chunks
are binned during the search; the large bin of the size, by best fit; the next bin with chunks; top;
the operating system. If the search meets other chunks of exactly the requested size, they fill the
thread's cache. If a chunk is split, the object gets the chunk's low end, and the rest goes to the
unsorted list.
"""

from __future__ import annotations

from allocsim.core.jit import cold, kernel
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import load_word, store_word
from allocsim.designs.glibc.bins import (
    UNSORTED,
    bin_at,
    fastbin,
    in_smallbin_range,
    insert_unsorted,
    largebin_index,
    leave_bins,
    next_used_bin,
    place_in_bin,
    smallbin_index,
    unlink_chunk,
    unmark_bin,
)
from allocsim.designs.glibc.chunks import (
    CHUNK_HDR_SZ,
    MALLOC_ALIGNMENT,
    MINSIZE,
    PREV_INUSE,
    bk,
    bk_nextsize,
    chunksize,
    fd,
    set_bk,
    set_fd,
    set_head,
    set_inuse_bit_at_offset,
)
from allocsim.designs.glibc.int_free import malloc_consolidate
from allocsim.designs.glibc.records import Glibc, MallocState
from allocsim.designs.glibc.sysmalloc import sysmalloc, use_top
from allocsim.designs.glibc.tcache import csize2tidx, has_room, tcache_get, tcache_put

MAX_ITERS = 10000
"""Maximum number of chunks of the unsorted list that one search bins."""


@out_of_line
def int_malloc(heap: Glibc, av: int, thread: int, nb: int) -> int:
    """Return an object whose chunk has at least `nb` bytes, or 0 on failure (_int_malloc).

    `av` is the arena, or -1 if the thread has none. The cache of `thread` is filled, but not
    searched.
    """
    if av < 0:
        return sysmalloc(heap, av, thread, nb)
    arena, mp = heap.arena[av], heap.mp_[0]
    mem = _take_fast(heap, arena, thread, nb)
    if mem:
        return mem
    if in_smallbin_range(nb):
        mem = _take_small(heap, arena, thread, nb)
        if mem:
            return mem
        idx = smallbin_index(nb)
    else:
        idx = largebin_index(nb)
        if arena.have_fastchunks:
            malloc_consolidate(heap, av)
    mp.tcache_unsorted_count = 0
    mem = _search(heap, arena, thread, nb, idx)
    if mem == 0 and arena.have_fastchunks:
        malloc_consolidate(heap, av)
        mem = _search_again(heap, av, thread, nb, idx)
    return mem if mem else sysmalloc(heap, av, thread, nb)


@cold
def _search_again(heap: Glibc, av: int, thread: int, nb: int, idx: int) -> int:
    """Search an arena whose fastbins have just been emptied; return an object, or 0."""
    return _search(heap, heap.arena[av], thread, nb, idx)


@kernel
def _search(heap: Glibc, arena: MallocState, thread: int, nb: int, idx: int) -> int:
    """Search the unsorted list, the bins from `idx` on, and top; return an object, or 0."""
    mem = _sort_unsorted(heap, arena, thread, nb)
    if mem == 0 and not in_smallbin_range(nb):
        mem = _take_large(heap, arena, nb, idx)
    if mem == 0:
        mem = _take_from_larger_bin(heap, arena, nb, idx)
    return mem if mem else use_top(heap, arena, nb)


@kernel
def _take_fast(heap: Glibc, arena: MallocState, thread: int, nb: int) -> int:
    """Take a fastbin's newest chunk and move others to the cache; return 0 for an empty fastbin.

    Sizes without a fastbin share one that is always empty, because a branch on the size would often
    be mispredicted.
    """
    unused = heap.mp_[0].global_max_fast + MALLOC_ALIGNMENT
    newest, tc_idx, taken = fastbin(arena, min(nb, unused)), csize2tidx(nb), 1
    victim = load_word(newest)
    if victim == 0:
        return 0
    other = fd(victim)
    while other and has_room(heap, thread, tc_idx):
        following = fd(other)
        tcache_put(heap, thread, other + CHUNK_HDR_SZ, tc_idx)
        other = following
        taken += 1
    store_word(newest, other)
    arena.fast_chunks -= taken
    arena.fast -= taken * nb
    arena.used += taken * nb
    return victim + CHUNK_HDR_SZ


@kernel
def _take_small(heap: Glibc, arena: MallocState, thread: int, nb: int) -> int:
    """Take a small bin's oldest chunk and move others to the cache; return 0 for an empty bin."""
    bin_, tc_idx, taken = bin_at(arena, smallbin_index(nb)), csize2tidx(nb), 1
    victim = bk(bin_)
    if victim == bin_:
        return 0
    _mark_used(arena, victim, nb)
    other = bk(victim)
    while other != bin_ and has_room(heap, thread, tc_idx):
        before = bk(other)
        _mark_used(arena, other, nb)
        tcache_put(heap, thread, other + CHUNK_HDR_SZ, tc_idx)
        other = before
        taken += 1
    set_bk(bin_, other)
    set_fd(other, bin_)
    arena.binned -= taken * nb
    arena.binned_chunks -= taken
    return victim + CHUNK_HDR_SZ


@kernel
def _mark_used(arena: MallocState, victim: int, size: int) -> None:
    """Mark a whole chunk as in use. Its links and the other counts are the caller's work."""
    arena.used += size
    set_inuse_bit_at_offset(victim, size)
    set_head(victim, size | PREV_INUSE | arena.flag)


@kernel
def _split(heap: Glibc, arena: MallocState, victim: int, size: int, nb: int) -> int:
    """Split a chunk after `nb` bytes, and put the rest on the unsorted list.

    The chunk must be on no list, but still be counted as binned. Returns the rest.
    """
    remainder = victim + nb
    arena.binned -= nb
    arena.used += nb
    heap.counters[0].splits += 1
    insert_unsorted(arena, remainder, size - nb)
    set_head(victim, nb | PREV_INUSE | arena.flag)
    return remainder


@kernel
def _sort_unsorted(heap: Glibc, arena: MallocState, thread: int, nb: int) -> int:
    """Bin the chunks of the unsorted list, oldest first; return an object of `nb` bytes, or 0.

    A chunk of exactly `nb` bytes goes to the cache while there is room; at the end, the chunk that
    was cached last is returned. For a small `nb`, if the only chunk on the list is last_remainder
    (the rest of the last chunk that was split for a small request), this chunk is split again.
    Successive small requests thus get neighbouring chunks.
    """
    mp, head, tc_idx = heap.mp_[0], bin_at(arena, UNSORTED), csize2tidx(nb)
    cached, count = False, mp.tcache_unsorted_count
    limit, victim = count + MAX_ITERS, bk(head)
    while victim != head and count < limit:
        size, before = chunksize(victim), bk(victim)
        set_bk(head, before)
        set_fd(before, head)
        if (
            before == head
            and in_smallbin_range(nb)
            and victim == arena.last_remainder
            and size > nb + MINSIZE
        ):
            arena.last_remainder = _split(heap, arena, victim, size, nb)
            return victim + CHUNK_HDR_SZ
        if size == nb:
            leave_bins(arena, size)
            _mark_used(arena, victim, size)
            if not has_room(heap, thread, tc_idx):
                return victim + CHUNK_HDR_SZ
            tcache_put(heap, thread, victim + CHUNK_HDR_SZ, tc_idx)
            cached = True
        else:
            place_in_bin(arena, victim, size)
            count += 1
            if cached and 0 < mp.tcache_unsorted_limit < count:
                break
        victim = before
    mp.tcache_unsorted_count = count
    return tcache_get(heap, thread, tc_idx) if cached else 0


@kernel
def _take_large(heap: Glibc, arena: MallocState, nb: int, idx: int) -> int:
    """Take the smallest chunk of at least `nb` bytes from large bin `idx`; return 0 if none fits.

    If several chunks have this size, the second is taken. Only the first is linked to the other
    sizes (fd_nextsize), so these links do not change.
    """
    bin_ = bin_at(arena, idx)
    victim = fd(bin_)
    if victim == bin_ or chunksize(victim) < nb:
        return 0
    victim = bk_nextsize(victim)
    while chunksize(victim) < nb:
        victim = bk_nextsize(victim)
    size = chunksize(victim)
    if victim != bk(bin_) and chunksize(fd(victim)) == size:
        victim = fd(victim)
    _take_part(heap, arena, victim, size, nb)
    return victim + CHUNK_HDR_SZ


@kernel
def _take_from_larger_bin(heap: Glibc, arena: MallocState, nb: int, idx: int) -> int:
    """Take the smallest chunk of the first nonempty bin after `idx`; return 0 if all are empty."""
    index = next_used_bin(arena, idx + 1)
    if index == 0:
        return 0
    victim = bk(bin_at(arena, index))
    remainder = _take_part(heap, arena, victim, chunksize(victim), nb)
    unmark_bin(arena, index)
    if remainder and in_smallbin_range(nb):
        arena.last_remainder = remainder
    return victim + CHUNK_HDR_SZ


@kernel
def _take_part(heap: Glibc, arena: MallocState, victim: int, size: int, nb: int) -> int:
    """Unlink a chunk and use its first `nb` bytes, or all of it if the rest would be too small.

    Returns the rest, or 0 if all of it was used.
    """
    unlink_chunk(victim)
    if size - nb < MINSIZE:
        leave_bins(arena, size)
        _mark_used(arena, victim, size)
        return 0
    return _split(heap, arena, victim, size, nb)
