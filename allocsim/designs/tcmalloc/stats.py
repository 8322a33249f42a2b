"""What a tcmalloc heap shows of itself: its classes, its caches, the library's own counters.

Beside the wiring in `tcmalloc`, over the state in `tcmalloc_state`. Plain Python over the records.
Its one rule: a counter has the name and the meaning that the library gives it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState, Record
from allocsim.core.system import fill_counts, fill_system
from allocsim.designs import CacheUse, ClassUse
from allocsim.designs.tcmalloc.size_classes import PAGE, PAGE_SHIFT
from allocsim.designs.tcmalloc.state import Tcmalloc, orphan


def classes(heap: Tcmalloc) -> list[ClassUse]:
    """What each size class holds now."""
    cached = heap.object_list.length[heap.cache.alive == 1].sum(axis=0).tolist()
    uses = []
    for number, kind in list(enumerate(heap.size_class))[1:]:
        moving, central = int(kind.used * kind.batch), int(kind.free)
        in_use = int(kind.spans * kind.objects) - central - moving - cached[number]
        sizes = (int(kind.object_size), int(kind.spans), in_use)
        uses.append(ClassUse(number, *sizes, cached[number], moving, central, int(kind.slots)))
    return uses


def caches(heap: Tcmalloc) -> list[CacheUse]:
    """The caches alive, the one of the library's start last."""
    alive = np.flatnonzero(heap.cache.alive).tolist()
    return [
        CacheUse(
            None if number == orphan(heap) else number,
            int(heap.cache[number].held),
            int(heap.cache[number].most),
        )
        for number in alive
    ]


def native_counters(heap: Tcmalloc) -> dict[str, int]:
    """The properties that MallocExtension::GetNumericProperty tells, under their names."""
    system, page_heap, counters = heap.system[0], heap.page_heap[0], heap.counters[0]
    kinds: Any = heap.size_class[1:]
    tails = int(sum(int(kind.spans) * int(tail_of(kind)) for kind in kinds if kind.spans))
    size = int(system.heap)
    free, unmapped = int(page_heap.free) * PAGE, int(page_heap.returned) * PAGE
    central = int((kinds.free * kinds.object_size).sum()) + tails
    transfer = int((kinds.used * kinds.batch * kinds.object_size).sum())
    thread = int(cached_bytes(heap))
    return {
        "generic.heap_size": size,
        "generic.current_allocated_bytes": size - free - unmapped - central - transfer - thread,
        "generic.total_physical_bytes": int(system.footprint),
        "tcmalloc.pageheap_free_bytes": free,
        "tcmalloc.pageheap_unmapped_bytes": unmapped,
        "tcmalloc.central_cache_free_bytes": central,
        "tcmalloc.transfer_cache_free_bytes": transfer,
        "tcmalloc.thread_cache_free_bytes": thread,
        "tcmalloc.pageheap_committed_bytes": size - unmapped,
        "tcmalloc.pageheap_scavenge_count": int(page_heap.releases),
        "tcmalloc.pageheap_commit_count": int(page_heap.commits),
        "tcmalloc.pageheap_total_commit_bytes": int(page_heap.committed_pages) * PAGE,
        "tcmalloc.pageheap_decommit_count": int(page_heap.decommits),
        "tcmalloc.pageheap_total_decommit_bytes": int(page_heap.decommitted_pages) * PAGE,
        "tcmalloc.pageheap_reserve_count": int(counters.grows),
        "tcmalloc.pageheap_total_reserve_bytes": size,
    }


@kernel
def tiered_account(heap: HeapState, live: int, sample: Record) -> None:
    """Fill all of `sample` (a SAMPLE) but its event; `live` is the bytes asked for."""
    counters, page_heap = heap.counters[0], heap.page_heap[0]
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
    fill_system(heap, sample)
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
