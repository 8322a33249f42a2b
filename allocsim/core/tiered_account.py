"""The account of a heap of three tiers: caches, transfer slots and spans over a joining page heap.

Beside `account`; above the records alone. Objects in use are not counted one by one: they are what
the spans of a class hold less what lies free in each tier, list by list, while the bytes of the
caches are counted by the caches themselves. Its one rule: no part is what is left of the heap, so
that their sum proves something: pages against spans, and lists against the bytes of their caches.
"""

from __future__ import annotations

from allocsim.core.counts import fill_counts
from allocsim.core.jit import kernel
from allocsim.core.records import HeapState, Record
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT


@kernel
def tiered_account(heap: HeapState, live: int, sample: Record) -> None:
    """Fill all of `sample` (a SAMPLE) but its event; `live` is the bytes asked for."""
    counters, page_heap, system = heap.counters[0], heap.page_heap[0], heap.system[0]
    occupied = counters.large_pages << PAGE_SHIFT
    sample.tail = 0
    sample.central = 0
    sample.transfer = 0
    for size_class in range(1, len(heap.size_class)):
        kind = heap.size_class[size_class]
        if kind.spans == 0:
            continue
        moving = kind.used * kind.batch
        occupied += (kind.spans * kind.objects - kind.free - moving) * kind.object_size
        sample.central += kind.free * kind.object_size
        sample.transfer += moving * kind.object_size
        sample.tail += kind.spans * tail_of(kind)
    sample.live = live
    sample.rounding = occupied - _listed_bytes(heap) - live
    sample.thread_cache = cached_bytes(heap)
    sample.free_spans = page_heap.free << PAGE_SHIFT
    sample.released = page_heap.returned << PAGE_SHIFT
    sample.heap = system.heap
    sample.footprint = system.footprint
    sample.metadata = system.footprint - system.heap + sample.released
    fill_counts(counters, sample)


@kernel
def tail_of(kind: Record) -> int:
    """Bytes at the end of each span of a CENTRAL_CLASS that no object fits in."""
    return (kind.pages << PAGE_SHIFT) - kind.objects * kind.object_size


@kernel
def cached_bytes(heap: HeapState) -> int:
    """Bytes of the free objects in all caches, as the caches count them."""
    cache, total = heap.budget[0].first, 0
    while cache:
        total += heap.cache[cache - 1].held
        cache = heap.cache[cache - 1].next
    return total


@kernel
def _listed_bytes(heap: HeapState) -> int:
    """Bytes of the objects on the lists of all caches, list by list.

    Cache by cache, as the lists lie: class by class, 4,096 caches took 6 times as long.
    """
    cache, total = heap.budget[0].first, 0
    while cache:
        for size_class in range(1, len(heap.size_class)):
            objects = heap.object_list[cache - 1, size_class]
            total += objects.length * heap.size_class[size_class].object_size
        cache = heap.cache[cache - 1].next
    return total
