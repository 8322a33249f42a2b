"""The cache of a thread: a LIFO list for each small chunk size (malloc.c, "tcache").

A list holds up to `tcache_count` chunks. A freed chunk goes to the cache of the freeing thread,
whichever arena the chunk is from. The arena still counts the chunk as in use.

The record of a list counts the chunks that still fit (`room`), not the chunks on the list. One
comparison of `room` with 0 therefore covers three cases: the list is full, chunks of the size are
not cached, or the thread has no cache yet.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word, store_word
from allocsim.designs.glibc.chunks import MINSIZE, NON_MAIN_ARENA, PREV_INUSE
from allocsim.designs.glibc.records import Glibc

TCACHE_MAX_BINS = 64
"""Number of lists of a cache, for chunk sizes 32 to 1,040 in steps of 16 (TCACHE_MAX_BINS)."""

MAX_TCACHE_SIZE = 1032
"""Maximum request that can be cached, in bytes."""

MAX_TCACHE_COUNT = 65535
"""Maximum of the parameter `tcache_count` (MAX_TCACHE_COUNT)."""

UNCACHED = ~((TCACHE_MAX_BINS - 1) << 4 | PREV_INUSE | NON_MAIN_ARENA)
"""Mask for the head of a chunk (see `chunks`). `(head - MINSIZE) & UNCACHED` is 0 if and only if a
list exists for the chunk's size and the chunk does not have its own mapping."""

TCACHE_KEY = 0x5DEECE66DA7C11E5
"""Written into each cached object, after its link, to detect that it is freed again (tcache_key, a
random number in the library)."""

TCACHE_BLOCK = 640
"""Bytes of the block that holds a cache in the library (sizeof (tcache_perthread_struct)). Here the
block is allocated too, but the lists are in records."""


@kernel
def csize2tidx(size: int) -> int:
    """Return the index of the list for chunks of a size; there are TCACHE_MAX_BINS lists.

    For a size without a list, the index is TCACHE_MAX_BINS or more.
    """
    return (size - MINSIZE) >> 4


@kernel
def entry_number(thread: int, tc_idx: int) -> np.uint64:
    """Return the number of a thread's list in `Glibc.tcache`.

    Computing this number takes a shift and an addition. If the table had two dimensions, finding an
    item would take a multiplication. An unsigned number needs no test for a negative index.
    """
    return np.uint64(thread) * np.uint64(TCACHE_MAX_BINS) + np.uint64(tc_idx)


@kernel
def has_room(heap: Glibc, thread: int, tc_idx: int) -> bool:
    """Return whether `thread` has a list with index `tc_idx` that has room for a chunk."""
    return tc_idx < TCACHE_MAX_BINS and heap.tcache[entry_number(thread, tc_idx)].room > 0


@kernel
def tcache_put(heap: Glibc, thread: int, mem: int, tc_idx: int) -> None:
    """Push an object on a list that has room (tcache_put)."""
    entry = heap.tcache[entry_number(thread, tc_idx)]
    store_word(mem, entry.head)
    store_word(mem + 8, TCACHE_KEY)
    entry.head = mem
    entry.room -= 1


@kernel
def tcache_get(heap: Glibc, thread: int, tc_idx: int) -> int:
    """Pop the newest object from a list that is not empty (tcache_get)."""
    entry = heap.tcache[entry_number(thread, tc_idx)]
    mem = entry.head
    entry.head = load_word(mem)
    entry.room += 1
    store_word(mem + 8, 0)
    return mem


@kernel
def is_cached(heap: Glibc, thread: int, mem: int, size: int) -> bool:
    """Return whether an object to be freed is already in the cache of `thread` (tcache_key).

    The key alone proves nothing, since the program may have written the same word into the object.
    """
    index = csize2tidx(size)
    if index >= TCACHE_MAX_BINS or load_word(mem + 8) != TCACHE_KEY:
        return False
    cached = heap.tcache[entry_number(thread, index)].head
    while cached != 0 and cached != mem:
        cached = load_word(cached)
    return cached != 0


@kernel
def open_tcache(heap: Glibc, thread: int, block: int) -> None:
    """Give `thread` an empty cache, whose block is at `block`."""
    heap.thread[thread].tcache = block
    mp = heap.mp_[0]
    mp.threads = max(mp.threads, thread + 1)
    for index in range(mp.tcache_bins):
        heap.tcache[entry_number(thread, index)].room = mp.tcache_count


@kernel
def cached_bytes(heap: Glibc, thread: int) -> int:
    """Return the bytes of the chunks in the cache of `thread`."""
    total, mp = 0, heap.mp_[0]
    if heap.thread[thread].tcache:
        for index in range(mp.tcache_bins):
            count = mp.tcache_count - heap.tcache[entry_number(thread, index)].room
            total += count * (MINSIZE + 16 * index)
    return total
