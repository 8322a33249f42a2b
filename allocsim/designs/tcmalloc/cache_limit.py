"""Creating and deleting thread caches, and the limit that they share (src/thread_cache.cc).

All caches together may hold `overall_thread_cache_size` bytes. Each cache has a share of these
bytes, its `max_size`, which grows by STEAL_AMOUNT at a time. The cache takes the amount from the
unclaimed space or, if none is left, steals it from the `max_size` of another cache. The other cache
gives up objects at its next scavenge, which releases idle objects. Caches form a linked list,
newest first; a cache has the number of its thread.

Invariant: unclaimed_cache_space + the sum of max_size = overall_thread_cache_size.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.tcmalloc.metadata import allocate_record
from allocsim.designs.tcmalloc.records import Tcmalloc

STEAL_AMOUNT = 64 << 10
"""Bytes that a cache claims at a time (kStealAmount)."""

MIN_THREAD_CACHE_SIZE = 512 << 10
"""The `max_size` in bytes of a new cache that can neither claim nor steal bytes. Bytes are stolen
only from a cache whose `max_size` is larger than this."""

MAX_PROBES = 10
"""Maximum number of caches inspected in one attempt to steal."""

CACHES_PER_CHUNK = 31
"""Number of thread cache records in a chunk of metadata."""


@kernel
def create_cache_if_necessary(heap: Tcmalloc, thread: int) -> bool:
    """Give `thread` a cache if it has none (CreateCacheIfNecessary).

    A frozen heap obtains no memory. If the record of the cache needs memory and the heap is frozen,
    returns False, with nothing changed.
    """
    return heap.cache[thread].alive != 0 or new_cache(heap, thread)


@kernel
def new_cache(heap: Tcmalloc, thread: int) -> bool:
    """Give `thread` a cache with empty lists (ThreadCache::NewHeap, Init).

    Returns False on failure.
    """
    static, cache = heap.static[0], heap.cache[thread]
    if not _allocate_cache_record(heap):
        return False
    cache.size_ = 0
    cache.max_size = 0
    increase_cache_limit(heap, thread)
    if cache.max_size == 0:
        # A new cache always gets the minimum, so unclaimed_cache_space becomes negative.
        cache.max_size = MIN_THREAD_CACHE_SIZE
        static.unclaimed_cache_space -= MIN_THREAD_CACHE_SIZE
    cache.alive = 1
    cache.previous = 0
    cache.next = static.thread_heaps
    if static.thread_heaps:
        heap.cache[static.thread_heaps - 1].previous = thread + 1
    else:
        static.next_memory_steal = thread + 1
    static.thread_heaps = thread + 1
    static.thread_heap_count += 1
    _init_lists(heap, thread)
    return True


@kernel
def _allocate_cache_record(heap: Tcmalloc) -> bool:
    """Account for one more cache record; return False if it needs memory and the heap is frozen."""
    static = heap.static[0]
    count = static.thread_heap_count + 1
    if count > static.max_thread_heap_count:
        # The first chunk is part of the startup state.
        if count > 1 and not allocate_record(heap, count, CACHES_PER_CHUNK):
            return False
        static.max_thread_heap_count = count
    return True


@kernel
def _init_lists(heap: Tcmalloc, thread: int) -> None:
    """Make the lists of a cache empty, each with room for one object (FreeList::Init)."""
    for size_class in range(len(heap.size_class)):
        objects = heap.free_list[thread, size_class]
        objects.head = 0
        objects.length = 0
        objects.low_water_mark = 0
        objects.max_length = 1
        objects.length_overages = 0
        objects.object_size = heap.size_class[size_class].object_size


@kernel
def unlink_cache(heap: Tcmalloc, thread: int) -> None:
    """Delete the cache of `thread`, whose lists are empty (the second half of DeleteCache).

    Its `max_size` returns to the unclaimed space. Its lists get a max_length of 0, so objects that
    the thread frees from now on go to the central free lists.
    """
    cache, static = heap.cache[thread], heap.static[0]
    if cache.next:
        heap.cache[cache.next - 1].previous = cache.previous
    if cache.previous:
        heap.cache[cache.previous - 1].next = cache.next
    else:
        static.thread_heaps = cache.next
    if static.next_memory_steal == thread + 1:
        static.next_memory_steal = cache.next
    if static.next_memory_steal == 0:
        static.next_memory_steal = static.thread_heaps
    static.thread_heap_count -= 1
    static.unclaimed_cache_space += cache.max_size
    cache.alive = 0
    cache.max_size = 0
    for size_class in range(len(heap.size_class)):
        heap.free_list[thread, size_class].max_length = 0


@kernel
def increase_cache_limit(heap: Tcmalloc, thread: int) -> None:
    """Raise a cache's `max_size` by STEAL_AMOUNT, if possible (IncreaseCacheLimit)."""
    static = heap.static[0]
    if static.unclaimed_cache_space > 0:
        # If less than STEAL_AMOUNT is left, unclaimed space becomes negative, as in the library.
        static.unclaimed_cache_space -= STEAL_AMOUNT
        heap.cache[thread].max_size += STEAL_AMOUNT
        return
    for _ in range(MAX_PROBES):
        if static.next_memory_steal == 0:
            static.next_memory_steal = static.thread_heaps
        victim = static.next_memory_steal - 1
        other = heap.cache[victim]
        static.next_memory_steal = other.next  # in turn, so that no cache is always the victim
        if victim != thread and other.max_size > MIN_THREAD_CACHE_SIZE:
            other.max_size -= STEAL_AMOUNT
            heap.cache[thread].max_size += STEAL_AMOUNT
            return
