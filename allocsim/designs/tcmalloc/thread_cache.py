"""Thread caches, as in gperftools 2.10 (src/thread_cache.cc).

Each thread has a LIFO free list per size class, linked through the free objects. The `max_length`
of a list adapts. Below the batch size, a miss or an overflow raises it by one (slow start). From
the batch size on, a miss raises it by a batch; every fourth overflow, and every scavenge that finds
idle objects, lowers it by a batch. `max_size` bounds the bytes of the whole cache; see
`cache_limit`.

Invariant: outside this module, `cache.size_` is the sum of length * object_size over all lists.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import load_word, store_word
from allocsim.designs.tcmalloc.cache_limit import (
    create_cache_if_necessary,
    increase_cache_limit,
    unlink_cache,
)
from allocsim.designs.tcmalloc.central_free_list import insert_range, remove_range
from allocsim.designs.tcmalloc.records import Tcmalloc

MAX_OVERAGES = 3
"""Number of overflows that leave a list's `max_length` unchanged; the next overflow reduces it."""

MAX_DYNAMIC_FREE_LIST_LENGTH = 8192
"""Maximum of a list's `max_length`."""


@kernel
def allocate(heap: Tcmalloc, thread: int, size_class: int) -> int:
    """Return an object of a class, or 0 on failure (ThreadCache::Allocate)."""
    return pop(heap, thread, size_class) or fetch_from_central_cache(heap, thread, size_class)


@kernel
def pop(heap: Tcmalloc, thread: int, size_class: int) -> int:
    """Pop the newest object of a thread's free list; return 0 if the list is empty (TryPop)."""
    # Unsigned index: a signed one costs a test for negative values.
    objects = heap.free_list[thread, np.uint64(size_class)]
    address = objects.head
    if address:
        objects.head = load_word(address)
        length = objects.length - 1
        objects.length = length
        if length < objects.low_water_mark:
            objects.low_water_mark = length
        heap.cache[thread].size_ -= objects.object_size
    return address


@kernel
def deallocate(heap: Tcmalloc, thread: int, size_class: int, address: int) -> None:
    """Push a freed object on the thread's list (ThreadCache::Deallocate).

    A thread without a cache needs no special case: its lists have a `max_length` of 0, so every
    free takes the slow path.
    """
    objects, cache = heap.free_list[thread, np.uint64(size_class)], heap.cache[thread]
    store_word(address, objects.head)
    objects.head = address
    length = objects.length + 1
    objects.length = length
    if length > objects.max_length:
        list_too_long(heap, thread, size_class)
        return
    cache.size_ += objects.object_size
    if cache.size_ > cache.max_size:
        scavenge(heap, thread)


@out_of_line
def fetch_from_central_cache(heap: Tcmalloc, thread: int, size_class: int) -> int:
    """Refill the thread's empty free list from the central free list (FetchFromCentralCache).

    Returns the first object, or 0 on failure. Creates the thread's cache if it has none.
    """
    if not create_cache_if_necessary(heap, thread):
        return 0
    objects, info = heap.free_list[thread, size_class], heap.size_class[size_class]
    max_length = int(objects.max_length)
    address, count = remove_range(heap, size_class, min(max_length, info.batch))
    if count == 0:
        return 0
    objects.head = load_word(address)
    objects.length = count - 1
    heap.cache[thread].size_ += (count - 1) * info.object_size
    # Slow start: a thread that uses a class once must not take a whole batch away from others.
    if max_length < info.batch:
        objects.max_length = max_length + 1
    else:
        max_length = min(max_length + info.batch, MAX_DYNAMIC_FREE_LIST_LENGTH)
        objects.max_length = max_length - max_length % info.batch  # a multiple of the batch
    return address


@out_of_line
def list_too_long(heap: Tcmalloc, thread: int, size_class: int) -> int:
    """Move a batch off an overlong list and adapt its `max_length` (ListTooLong); return a Status.

    The object that made the list too long is linked but not yet counted in `cache.size_`. If the
    thread has no cache, its lists have a `max_length` of 0, and the object goes straight to the
    central free list.
    """
    objects, cache = heap.free_list[thread, size_class], heap.cache[thread]
    info = heap.size_class[size_class]
    if not cache.alive:
        return insert_range(heap, size_class, _pop_range(heap, thread, size_class, 1), 1)
    cache.size_ += info.object_size
    _release_to_central_cache(heap, thread, size_class, info.batch)
    if objects.max_length < info.batch:
        objects.max_length += 1
    elif objects.max_length > info.batch:
        # One burst is normal. A list that keeps overflowing has to shrink, or it would stay this
        # long permanently.
        objects.length_overages += 1
        if objects.length_overages > MAX_OVERAGES:
            objects.max_length -= info.batch
            objects.length_overages = 0
    if cache.size_ > cache.max_size:
        scavenge(heap, thread)
    return Status.OK


@out_of_line
def scavenge(heap: Tcmalloc, thread: int) -> int:
    """Release idle objects of each list, then try to raise `max_size` (ThreadCache::Scavenge).

    The low-water mark of a list is its minimum length since the last scavenge: the number of
    objects that were not needed in the meantime. Half of these objects are released, but at least
    one. Returns a Status.
    """
    for size_class in range(1, len(heap.size_class)):
        objects = heap.free_list[thread, size_class]
        if objects.low_water_mark > 0:
            idle = max(int(objects.low_water_mark) // 2, 1)
            _release_to_central_cache(heap, thread, size_class, idle)
            batch = heap.size_class[size_class].batch
            # The list has not run empty since the last scavenge, so it need not be so long.
            if objects.max_length > batch:
                objects.max_length = max(objects.max_length - batch, batch)
        objects.low_water_mark = objects.length
    increase_cache_limit(heap, thread)
    return Status.OK


@kernel
def thread_begin(heap: Tcmalloc, thread: int) -> int:
    """Check that the tables have room for a thread; its first allocation creates its cache."""
    if thread >= len(heap.cache) - 1:  # the last row is not for a thread, see `orphan`
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return Status.OUT_OF_MEMORY
    return Status.OK


@kernel
def thread_done(heap: Tcmalloc, thread: int) -> int:
    """Move the thread's objects to the central free lists and delete its cache."""
    return delete_cache(heap, thread)


@out_of_line
def delete_cache(heap: Tcmalloc, thread: int) -> int:
    """Empty and delete the cache of `thread`, if it has one (DeleteCache). Returns a Status."""
    if heap.cache[thread].alive:
        cleanup(heap, thread)
        unlink_cache(heap, thread)
    return Status.OK


@kernel
def cleanup(heap: Tcmalloc, thread: int) -> None:
    """Release all objects of a cache (ThreadCache::Cleanup)."""
    for size_class in range(1, len(heap.size_class)):
        length = int(heap.free_list[thread, size_class].length)
        if length > 0:
            _release_to_central_cache(heap, thread, size_class, length)


@kernel
def _release_to_central_cache(heap: Tcmalloc, thread: int, size_class: int, count: int) -> None:
    """Move `count` objects of a list, or all if it has fewer, to the central free list.

    The objects move in batches; the last batch may be short (ReleaseToCentralCache).
    """
    info = heap.size_class[size_class]
    left = min(count, int(heap.free_list[thread, size_class].length))
    heap.cache[thread].size_ -= left * info.object_size
    while left > 0:
        moved = min(left, info.batch)
        insert_range(heap, size_class, _pop_range(heap, thread, size_class, moved), moved)
        left -= moved


@kernel
def _pop_range(heap: Tcmalloc, thread: int, size_class: int, count: int) -> int:
    """Pop the newest `count` objects of a list; return the first of the chain (FreeList::PopRange).

    The list has at least `count` objects.
    """
    objects = heap.free_list[thread, size_class]
    first = objects.head
    last = first
    for _ in range(count - 1):
        last = load_word(last)
    objects.head = load_word(last)
    store_word(last, 0)
    objects.length -= count
    objects.low_water_mark = min(objects.low_water_mark, objects.length)
    return first
