"""Statistics of a go heap: footprint, size classes and Go's own counters (runtime/mstats.go).

A dead object is one that the program has freed and that no collection has swept. With the parameter
`direct`, a free takes effect at once, and no object is dead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.records import Sample
from allocsim.core.system import fill_counts, fill_system
from allocsim.designs import ClassUse
from allocsim.designs.go.mgcpacer import NO_HEAP_GOAL
from allocsim.designs.go.mpallocbits import CHUNK_SHIFT
from allocsim.designs.go.records import Go, MCentral
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT
from allocsim.designs.go.spans import BITS_SHIFT, TAKEN

PARTS = {
    "rounding": "allocated minus requested size; ends of tiny blocks",
    "tail": "span end: mark bytes, and bytes too few for an object",
    "thread_cache": "free slots of cached spans; with freegc, reusable objects",
    "transfer": "dead objects that no collection has swept yet",
    "central": "free slots of the partial spans",
    "free_spans": "free pages, those in the page cache included",
    "released": "free pages released to the OS, or never used",
    "metadata": "span records, page maps and bitmaps",
}
"""The contents of each part of the heap in this design, and of the metadata."""


@kernel
def fill_sample(heap: Go, live: int, sample: Sample) -> int:
    """Fill every field of `sample` except `event`; return a Status.

    `live` is the bytes requested and not yet freed. Dead objects are counted in `transfer`, because
    Go still regards them as allocated.
    """
    mheap, dead = heap.mheap[0], heap.gc_controller[0].dead_bytes
    pages = mheap.pages_in_use + mheap.manual_pages
    sample.live = live
    sample.tail, sample.central, sample.thread_cache = mheap.tails, mheap.partial, mheap.cached
    sample.transfer = dead
    free = mheap.tails + mheap.partial + mheap.cached
    sample.rounding = (pages << PAGE_SHIFT) - free - dead - live
    sample.released = heap.system[0].released
    sample.free_spans = (((mheap.chunks << CHUNK_SHIFT) - pages) << PAGE_SHIFT) - sample.released
    fill_system(heap, sample)
    fill_counts(heap.counters[0], sample)
    return Status.OK


def classes(heap: Go) -> list[ClassUse]:
    """Return the use of each size class; dead objects count as `transfer`."""
    live = _live_objects(heap)
    uses = []
    for number, (spans, partial, cached) in enumerate(_free_slots(heap), start=1):
        central = heap.mcentral[number]
        cached += int(central.num_reusable)
        dead = spans * int(central.nelems) - cached - partial - live[number]
        uses.append(
            ClassUse(number, int(central.elemsize), spans, live[number], cached, dead, partial)
        )
    return uses


def _live_objects(heap: Go) -> list[int]:
    """Return the number of live objects of each class, counted bit by bit."""
    numbers = _small_spans(heap)
    words = heap.gc_bits.reshape(-1, 1 << BITS_SHIFT)[numbers, ::2]
    live = np.bitwise_count(words.view(np.uint64)).sum(axis=1)
    return _sums(heap, numbers, live)


def _free_slots(heap: Go) -> list[tuple[int, int, int]]:
    """Return a row for each class from 1 on.

    A row has the number of spans, of free slots in partial spans, and of free slots in the cached
    span.
    """
    numbers = _small_spans(heap)
    spans = _sums(heap, numbers, np.ones(len(numbers)))
    allocated = _sums(heap, numbers, heap.span_use.alloc_count[numbers])
    slots = []
    for number, central in enumerate(heap.mcentral[1:], start=1):
        free = spans[number] * int(central.nelems) - allocated[number]
        if central.alloc:
            free -= int(central.nelems) - int(heap.span_use[central.alloc].alloc_count)
        slots.append((spans[number], free, _cached_slots(heap, central)))
    return slots


def _cached_slots(heap: Go, central: MCentral) -> int:
    """Return the number of free slots of a class's cached span.

    With `direct`, a slot may become free after the search for free slots has passed it. Such a slot
    is counted too.
    """
    if central.alloc == 0:
        return 0
    nelems, first = int(central.nelems), int(central.alloc) << BITS_SHIFT
    words = heap.gc_bits[first : first + 2 * -(-nelems // 64)]
    if heap.mheap[0].direct:
        return nelems - _ones(words[::2])
    ahead = int(central.alloc_word) + 1  # index of the first word that the cache has not loaded
    return _ones(central.alloc_cache) + max(nelems - 64 * ahead, 0) - _ones(words[TAKEN::2][ahead:])


def _ones(words: Any) -> int:
    """Return how many bits of `words`, an int64 or an array of int64, are 1."""
    return int(np.bitwise_count(words.view(np.uint64)).sum())


def _small_spans(heap: Go) -> np.ndarray:
    """Return the numbers of the spans of small objects."""
    used = heap.mspan.start_addr[: int(heap.mheap[0].last_span) + 1] != 0
    return np.flatnonzero(used & (heap.span_use.size_class[: len(used)] > 0))


def _sums(heap: Go, numbers: np.ndarray, amounts: np.ndarray) -> list[int]:
    """Return the sum of the amounts of the spans with these numbers, for each class."""
    size_class = heap.span_use.size_class[numbers]
    sums = np.bincount(size_class, amounts, len(heap.mcentral))
    return sums.astype(np.int64).tolist()


def native_counters(heap: Go) -> dict[str, int]:
    """Return what runtime.MemStats and runtime/metrics report, under their names.

    As in Go, HeapAlloc and HeapObjects include dead objects that are not swept.
    """
    system, mheap, controller = heap.system[0], heap.mheap[0], heap.gc_controller[0]
    size, released = int(system.heap), int(system.released)
    in_use = int(mheap.pages_in_use) * PAGE
    objects, allocated = _allocated(heap)
    goal = min(int(controller.heap_goal), NO_HEAP_GOAL)
    return {
        "HeapAlloc": allocated,
        "HeapSys": size,
        "HeapIdle": size - in_use,
        "HeapInuse": in_use,
        "HeapReleased": released,
        "HeapObjects": objects,
        "NextGC": goal,
        "NumGC": int(controller.num_gc),
        "/gc/cycles/total:gc-cycles": int(controller.num_gc),
        "/gc/heap/goal:bytes": goal,
        "/gc/heap/live:bytes": int(controller.heap_marked),
        "/gc/heap/objects:objects": objects,
        "/memory/classes/heap/objects:bytes": allocated,
        "/memory/classes/heap/unused:bytes": in_use - allocated,
        "/memory/classes/heap/free:bytes": size - in_use - released,
        "/memory/classes/heap/released:bytes": released,
    }


def _allocated(heap: Go) -> tuple[int, int]:
    """Return the number and the bytes of the objects that Go counts as allocated."""
    mheap, objects = heap.mheap[0], len(_large_spans(heap))
    size = int(mheap.pages_in_use) * PAGE - int(mheap.tails + mheap.partial + mheap.cached)
    for central, (spans, partial, cached) in zip(heap.mcentral[1:], _free_slots(heap), strict=True):
        objects += spans * int(central.nelems) - partial - cached
        size += int(central.num_reusable) * int(central.elemsize)
    return objects, size


def _large_spans(heap: Go) -> np.ndarray:
    """Return the numbers of the spans of large objects."""
    spans = heap.mspan[: int(heap.mheap[0].last_span) + 1]
    size_class = heap.span_use.size_class[: len(spans)]
    return np.flatnonzero((spans.start_addr != 0) & (size_class == 0))
