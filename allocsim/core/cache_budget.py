"""The budget of all caches: how many bytes each thread may cache, and who gives when it is spent.

Below the bounded caches, which ask for more each time they are trimmed. A cache claims 64 KiB at
a time; when nothing is left unclaimed it takes them from another cache, looking at a few, one
after the other. Its one rule: what is unclaimed and what the caches may hold is always the total
that was set, so the unclaimed can be negative. (gperftools 2.10, src/thread_cache.cc.)
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import book_record

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
