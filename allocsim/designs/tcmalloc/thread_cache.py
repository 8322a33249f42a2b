"""Bounded caches: each thread's free objects by class, with lengths that grow and shrink by use.

Above the transfer slots, with which a cache exchanges batches; below the designs. The lists are
last in first out, threaded through the free objects. A list may grow a little longer each time it
is found empty or overflows (slow start), shrinks when it overflows often, and a cache that holds
too many bytes gives up half of what each list did not need lately. Its one rule: the length of a
list and the bytes of its cache change together. (gperftools 2.10, src/thread_cache.cc.)
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel, out_of_line
from allocsim.core.operations import Status
from allocsim.core.raw import load_word, store_word
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.central_free_list import insert_range, remove_range
from allocsim.designs.tcmalloc.metadata import book_record

MOST_OVERAGES = 3
"""Overflows of a list before it is made shorter."""

LONGEST = 8192
"""Objects that a list may be allowed to hold."""


@kernel
def pop_object(heap: HeapState, thread: int, size_class: int) -> int:
    """Hand out the newest free object of `thread`; 0 if its list is empty."""
    objects = heap.object_list[thread, np.uint64(size_class)]
    address = objects.head
    if address:
        objects.head = load_word(address)
        length = objects.length - 1
        objects.length = length
        if length < objects.low_water:
            objects.low_water = length
        heap.cache[thread].held -= objects.object_size
    return address


@kernel
def push_object(heap: HeapState, thread: int, size_class: int, address: int) -> None:
    """Make an object that was in use the newest free one of `thread`."""
    objects, cache = heap.object_list[thread, np.uint64(size_class)], heap.cache[thread]
    store_word(address, objects.head)
    objects.head = address
    length = objects.length + 1
    objects.length = length
    if length > objects.most:
        overflow(heap, thread, size_class)
        return
    cache.held += objects.object_size
    if cache.held > cache.most:
        trim(heap, thread)


@out_of_line
def fetch(heap: HeapState, thread: int, size_class: int) -> int:
    """Fill the empty list of `thread` from the centre, and hand out its first object; 0: refused.

    A thread gets its cache now if it has none.
    """
    require_cache(heap, thread)
    objects, kind = heap.object_list[thread, size_class], heap.size_class[size_class]
    most = int(objects.most)
    address, count = remove_range(heap, size_class, min(most, kind.batch))
    if count == 0:
        return 0
    objects.head = load_word(address)
    objects.length = count - 1
    heap.cache[thread].held += (count - 1) * kind.object_size
    if most < kind.batch:
        objects.most = most + 1
    else:
        most = min(most + kind.batch, LONGEST)
        objects.most = most - most % kind.batch
    return address


@kernel
def require_cache(heap: HeapState, thread: int) -> None:
    """Give `thread` a cache if it has none: it gets one when it first allocates."""
    if not heap.cache[thread].alive:
        begin_cache(heap, thread)


@out_of_line
def overflow(heap: HeapState, thread: int, size_class: int) -> int:
    """A list is longer than it may be: a batch goes back, and the list's bound changes; a Status.

    The object that made it so is on the list and not yet counted in the bytes of the cache. A
    thread without a cache gives the object straight to the centre.
    """
    objects, cache = heap.object_list[thread, size_class], heap.cache[thread]
    kind = heap.size_class[size_class]
    if not cache.alive:
        return insert_range(heap, size_class, _pop_chain(heap, thread, size_class, 1), 1)
    cache.held += kind.object_size
    _give_back(heap, thread, size_class, kind.batch)
    if objects.most < kind.batch:
        objects.most += 1
    elif objects.most > kind.batch:
        objects.overages += 1
        if objects.overages > MOST_OVERAGES:
            objects.most -= kind.batch
            objects.overages = 0
    if cache.held > cache.most:
        trim(heap, thread)
    return Status.OK


@out_of_line
def trim(heap: HeapState, thread: int) -> int:
    """Give back half of what each list has not needed lately, and claim more bytes; a Status."""
    for size_class in range(1, len(heap.size_class)):
        objects = heap.object_list[thread, size_class]
        if objects.low_water > 0:
            _give_back(heap, thread, size_class, max(int(objects.low_water) // 2, 1))
            batch = heap.size_class[size_class].batch
            if objects.most > batch:
                objects.most = max(objects.most - batch, batch)
        objects.low_water = objects.length
    raise_limit(heap, thread)
    return Status.OK


@kernel
def empty_cache(heap: HeapState, thread: int) -> None:
    """Give back all that the cache of `thread` holds."""
    for size_class in range(1, len(heap.size_class)):
        length = int(heap.object_list[thread, size_class].length)
        if length > 0:
            _give_back(heap, thread, size_class, length)


@kernel
def _give_back(heap: HeapState, thread: int, size_class: int, count: int) -> None:
    """Move `count` objects, or all there are, to the centre in batches; the last may be short."""
    kind = heap.size_class[size_class]
    left = min(count, int(heap.object_list[thread, size_class].length))
    heap.cache[thread].held -= left * kind.object_size
    while left > 0:
        together = min(left, kind.batch)
        insert_range(heap, size_class, _pop_chain(heap, thread, size_class, together), together)
        left -= together


@kernel
def _pop_chain(heap: HeapState, thread: int, size_class: int, count: int) -> int:
    """Take the newest `count` objects, of which there are so many, off a list as a chain."""
    objects = heap.object_list[thread, size_class]
    first = objects.head
    last = first
    for _ in range(count - 1):
        last = load_word(last)
    objects.head = load_word(last)
    store_word(last, 0)
    objects.length -= count
    objects.low_water = min(objects.low_water, objects.length)
    return first


STEP = 64 << 10
"""Bytes that a cache claims at a time."""

LEAST = 512 << 10
"""Bytes that a cache gets when there is nothing to claim, and below which none is taken from."""

LOOKED = 10
"""Caches that are looked at before giving up."""

CACHES_PER_CHUNK = 31
"""Records of caches in a chunk of metadata."""


@kernel
def begin_cache(heap: HeapState, thread: int) -> None:
    """Give `thread` a cache with empty lists."""
    cache, budget = heap.cache[thread], heap.budget[0]
    cache.held = 0
    cache.most = 0
    raise_limit(heap, thread)
    if cache.most == 0:
        cache.most = LEAST
        budget.unclaimed -= LEAST
    cache.alive = 1
    cache.previous = 0
    cache.next = budget.first
    if budget.first:
        heap.cache[budget.first - 1].previous = thread + 1
    else:
        budget.victim = thread + 1
    budget.first = thread + 1
    budget.caches += 1
    if budget.caches > budget.most_caches:
        budget.most_caches = budget.caches
        if budget.caches > 1:
            book_record(heap, int(budget.caches), CACHES_PER_CHUNK)
    for size_class in range(len(heap.size_class)):
        objects = heap.object_list[thread, size_class]
        objects.head = 0
        objects.length = 0
        objects.low_water = 0
        objects.most = 1
        objects.overages = 0
        objects.object_size = heap.size_class[size_class].object_size


@kernel
def end_cache(heap: HeapState, thread: int) -> None:
    """Take the cache of `thread`, which is empty, away: what it may hold is unclaimed again."""
    cache, budget = heap.cache[thread], heap.budget[0]
    if cache.next:
        heap.cache[cache.next - 1].previous = cache.previous
    if cache.previous:
        heap.cache[cache.previous - 1].next = cache.next
    else:
        budget.first = cache.next
    if budget.victim == thread + 1:
        budget.victim = cache.next
    if budget.victim == 0:
        budget.victim = budget.first
    budget.caches -= 1
    budget.unclaimed += cache.most
    cache.alive = 0
    cache.most = 0
    for size_class in range(len(heap.size_class)):
        heap.object_list[thread, size_class].most = 0


@kernel
def raise_limit(heap: HeapState, thread: int) -> None:
    """Let the cache of `thread` hold STEP bytes more, if they can be had."""
    budget = heap.budget[0]
    if budget.unclaimed > 0:
        budget.unclaimed -= STEP
        heap.cache[thread].most += STEP
        return
    for _ in range(LOOKED):
        if budget.victim == 0:
            budget.victim = budget.first
        victim = budget.victim - 1
        other = heap.cache[victim]
        budget.victim = other.next
        if victim != thread and other.most > LEAST:
            other.most -= STEP
            heap.cache[thread].most += STEP
            return
