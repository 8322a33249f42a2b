"""Statistics of a tcmalloc heap: its parts, classes and caches, and the library's own counters.

A counter has the name and the meaning that the library gives it (ExtractStats and
GetNumericProperty in src/tcmalloc.cc).
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.records import Sample
from allocsim.core.system import fill_counts, fill_system
from allocsim.designs import CacheUse, ClassUse
from allocsim.designs.tcmalloc.records import CentralFreeList, Tcmalloc, orphan
from allocsim.designs.tcmalloc.size_classes import PAGE, PAGE_SHIFT


@kernel
def fill_sample(heap: Tcmalloc, live: int, sample: Sample) -> int:
    """Fill every field of `sample` except `event`; return a Status.

    `live` is the bytes requested and not yet freed. Each part is counted on its own, so that the
    sum of the parts can be checked against the heap. `rounding` includes the full size of each
    object that already exists in the startup state (see STARTUPS in `state`), since no event
    requested those objects.
    """
    counters, page_heap = heap.counters[0], heap.page_heap[0]
    occupied = counters.large_pages << PAGE_SHIFT
    sample.tail = 0
    sample.central = 0
    sample.transfer = 0
    for size_class in range(1, len(heap.size_class)):
        info = heap.size_class[size_class]
        if info.num_spans == 0:
            continue
        stored = info.used_slots * info.batch
        # Objects in use or in thread caches; the cached ones are subtracted from `rounding` below.
        outside = info.num_spans * info.objects - info.free_objects - stored
        occupied += outside * info.object_size
        sample.central += info.free_objects * info.object_size
        sample.transfer += stored * info.object_size
        sample.tail += info.num_spans * tail_of(info)
    sample.live = live
    sample.rounding = occupied - _listed_bytes(heap) - live
    sample.thread_cache = cached_bytes(heap)
    sample.free_spans = page_heap.free_pages << PAGE_SHIFT
    sample.released = page_heap.unmapped_pages << PAGE_SHIFT
    fill_system(heap, sample)
    fill_counts(counters, sample)
    return Status.OK


@kernel
def tail_of(info: CentralFreeList) -> int:
    """Return the size of the tail of a class's spans: the bytes at the end, too few for an object.

    All spans of a class have the same length, and so the same tail.
    """
    return (info.pages << PAGE_SHIFT) - info.objects * info.object_size


@kernel
def cached_bytes(heap: Tcmalloc) -> int:
    """Return the bytes of free objects in all caches, as the caches count them."""
    cache, total = heap.static[0].thread_heaps, 0
    while cache:
        total += heap.cache[cache - 1].size_
        cache = heap.cache[cache - 1].next
    return total


@kernel
def _listed_bytes(heap: Tcmalloc) -> int:
    """Return the bytes of the objects on the lists of all caches, counted list by list.

    The outer loop is over caches, to read memory in order. With the outer loop over classes, this
    took 6 times as long for 4,096 caches.
    """
    cache, total = heap.static[0].thread_heaps, 0
    while cache:
        for size_class in range(1, len(heap.size_class)):
            objects = heap.free_list[cache - 1, size_class]
            total += objects.length * heap.size_class[size_class].object_size
        cache = heap.cache[cache - 1].next
    return total


def classes(heap: Tcmalloc) -> list[ClassUse]:
    """Return the use of each size class."""
    cached = heap.free_list.length[heap.cache.alive == 1].sum(axis=0).tolist()
    uses = []
    for number, info in enumerate(heap.size_class[1:], start=1):
        stored, central = int(info.used_slots * info.batch), int(info.free_objects)
        in_use = int(info.num_spans * info.objects) - central - stored - cached[number]
        sizes = (int(info.object_size), int(info.num_spans), in_use)
        uses.append(ClassUse(number, *sizes, cached[number], stored, central, int(info.cache_size)))
    return uses


def caches(heap: Tcmalloc) -> list[CacheUse]:
    """Return the caches in use, ordered by thread.

    The last is the cache that belongs to no thread (see `orphan`). With startup="none", no such
    cache is in use.
    """
    return [
        CacheUse(
            None if number == orphan(heap) else number,
            int(heap.cache[number].size_),
            int(heap.cache[number].max_size),
        )
        for number in np.flatnonzero(heap.cache.alive).tolist()
    ]


def native_counters(heap: Tcmalloc) -> dict[str, int]:
    """Return the properties that MallocExtension::GetNumericProperty reports, by name."""
    system, page_heap = heap.system[0], heap.page_heap[0]
    size = int(system.heap)
    free, unmapped = int(page_heap.free_pages) * PAGE, int(page_heap.unmapped_pages) * PAGE
    central, transfer = _central_bytes(heap)
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
        "tcmalloc.pageheap_scavenge_count": int(page_heap.scavenge_count),
        "tcmalloc.pageheap_commit_count": int(page_heap.commit_count),
        "tcmalloc.pageheap_total_commit_bytes": int(page_heap.total_commit_pages) * PAGE,
        "tcmalloc.pageheap_decommit_count": int(page_heap.decommit_count),
        "tcmalloc.pageheap_total_decommit_bytes": int(page_heap.total_decommit_pages) * PAGE,
        "tcmalloc.pageheap_reserve_count": int(heap.counters[0].grows),
        "tcmalloc.pageheap_total_reserve_bytes": size,
    }


def _central_bytes(heap: Tcmalloc) -> tuple[int, int]:
    """Return the free bytes in central free lists, span tails included, and in transfer caches."""
    # The library counts a span's tail as free central memory; `fill_sample` counts it separately.
    central = transfer = 0
    for info in heap.size_class[1:]:
        central += int(info.free_objects * info.object_size + info.num_spans * tail_of(info))
        transfer += int(info.used_slots * info.batch * info.object_size)
    return central, transfer
