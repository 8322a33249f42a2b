"""Statistics of a go heap: footprint, size classes and Go's own counters (runtime/mstats.go).

A dead object is one that the program has freed and that no collection has swept. With the parameter
`direct`, a free takes effect at once, and no object is dead.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.records import Sample
from allocsim.core.system import fill_counts, fill_system
from allocsim.designs import ClassUse
from allocsim.designs.go.mcache import free_slots
from allocsim.designs.go.mgcpacer import NO_HEAP_GOAL
from allocsim.designs.go.records import Go
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT
from allocsim.designs.go.spans import BITS_SHIFT, live_slots, words_of
from allocsim.designs.go.sys import ones_count64

PARTS = {
    "rounding": "allocated minus requested size; ends of tiny blocks",
    "tail": "span end: mark bytes, and bytes too few for an object",
    "thread_cache": "free slots of the cached spans; objects to reuse (freegc)",
    "transfer": "dead objects that no collection has swept yet",
    "central": "free slots of the partial spans",
    "free_spans": "free pages, those in the page cache included",
    "released": "free pages released to the OS, or never used",
    "metadata": "span records, page maps and bitmaps",
}
"""What each part of the heap contains in this design, and what the metadata consists of."""


@kernel
def fill_sample(heap: Go, live: int, sample: Sample) -> int:
    """Fill every field of `sample` except `event`; return a Status.

    `live` is the bytes requested and not yet freed. Dead objects are counted in `transfer`, because
    Go still regards them as allocated.
    """
    counters, mheap, controller = heap.counters[0], heap.mheap[0], heap.gc_controller[0]
    small = count_classes(heap)
    sample.tail, sample.central = mheap.tails, mheap.partial
    sample.thread_cache = mheap.cached
    occupied = small + (counters.large_pages << PAGE_SHIFT)
    sample.live = live
    sample.transfer = controller.dead_bytes
    sample.rounding = occupied - controller.dead_bytes - live
    sample.released = heap.system[0].released
    pages = (mheap.chunks << 9) - mheap.pages_in_use - mheap.manual_pages
    sample.free_spans = (pages << PAGE_SHIFT) - sample.released
    fill_system(heap, sample)
    fill_counts(counters, sample)
    return Status.OK


@out_of_line
def count_classes(heap: Go) -> int:
    """Return the bytes of the slots that hold an object, live or dead.

    Also sets the byte counts `tails`, `partial` and `cached` of the heap, and `cached_free` of each
    class.
    """
    mheap, occupied = heap.mheap[0], 0
    mheap.tails = mheap.partial = mheap.cached = 0
    for size_class in range(1, len(heap.mcentral)):
        central = heap.mcentral[size_class]
        central.cached_free = cached_slots(heap, size_class)
        if central.num_spans == 0:
            continue
        cached, reusable = central.cached_free, central.num_reusable
        free = central.partial_free + cached
        used = central.num_spans * central.nelems - free - reusable
        occupied += used * central.elemsize
        mheap.partial += central.partial_free * central.elemsize
        mheap.cached += (cached + reusable) * central.elemsize
        tail = (central.npages << PAGE_SHIFT) - central.nelems * central.elemsize
        mheap.tails += central.num_spans * tail
    return occupied


@kernel
def cached_slots(heap: Go, size_class: int) -> int:
    """Return the number of free slots of a class's cached span.

    With `direct`, slots that the search for a free slot has passed may be free; these are counted.
    """
    central = heap.mcentral[size_class]
    if central.alloc == 0:
        return 0
    if heap.mheap[0].direct:
        return central.nelems - live_slots(heap, central.alloc, central.nelems)
    left = ones_count64(central.alloc_cache)
    for word in range(central.alloc_word + 1, words_of(central.nelems)):
        left += ones_count64(free_slots(heap, central, word))
    return left


def classes(heap: Go) -> list[ClassUse]:
    """Return the use of each size class; dead objects count as `transfer`."""
    count_classes(heap)
    live = _live_objects(heap)
    uses = []
    for number, central in enumerate(heap.mcentral[1:], start=1):
        cached, partial = int(central.cached_free), int(central.partial_free)
        cached += int(central.num_reusable)
        dead = int(central.num_spans * central.nelems) - cached - partial - live[number]
        sizes = (int(central.elemsize), int(central.num_spans), live[number])
        uses.append(ClassUse(number, *sizes, cached, dead, partial))
    return uses


def _live_objects(heap: Go) -> list[int]:
    """Return the number of live objects of each class, counted bit by bit."""
    spans = heap.mspan[: int(heap.mheap[0].last_span) + 1]
    words = heap.gc_bits[: len(spans) << BITS_SHIFT].reshape(len(spans), 1 << BITS_SHIFT)
    live = np.bitwise_count(words[:, ::2].view(np.uint64)).sum(axis=1)
    size_class = heap.span_use.size_class[: len(spans)]
    used = (spans.start_addr != 0) & (size_class != 0)
    counted = np.zeros(len(heap.mcentral), np.int64)
    np.add.at(counted, size_class[used], live[used].astype(np.int64))
    return [int(count) for count in counted]


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
    count_classes(heap)
    objects = len(_large_spans(heap))
    size = int(heap.counters[0].large_pages) * PAGE
    for central in heap.mcentral[1:]:
        free = int(central.partial_free) + int(central.cached_free)
        used = int(central.num_spans * central.nelems) - free
        objects += used
        size += used * int(central.elemsize)
    return objects, size


def _large_spans(heap: Go) -> np.ndarray:
    """Return the numbers of the spans of large objects."""
    spans = heap.mspan[: int(heap.mheap[0].last_span) + 1]
    size_class = heap.span_use.size_class[: len(spans)]
    return np.flatnonzero((spans.start_addr != 0) & (size_class == 0))
