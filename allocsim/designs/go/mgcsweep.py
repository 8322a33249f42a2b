"""Sweeping: every span of every class, once for each collection (runtime/mgcsweep.go).

Sweeping a span copies its live bits to the bits that mark taken slots. The time of a collection
therefore depends on the number of spans, not on the number of objects. Spans without a live object
are freed.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.go.mcache import uncache
from allocsim.designs.go.mcentral import push, release_span, remove
from allocsim.designs.go.mheap import free_span
from allocsim.designs.go.mpallocbits import CHUNK_SHIFT
from allocsim.designs.go.pallocsum import page_update
from allocsim.designs.go.records import FULL, PARTIAL, Go
from allocsim.designs.go.size_classes import PAGE_SHIFT
from allocsim.designs.go.spans import BITS_SHIFT, TAKEN, prefetch_span, words_of
from allocsim.designs.go.sys import ones_count64


@kernel
def sweep(heap: Go) -> int:
    """Sweep all spans; return the bytes of the live objects (gcSweep)."""
    mheap = heap.mheap[0]
    mheap.sweeping = 1
    marked = sweep_large(heap)
    for size_class in range(1, len(heap.mcentral)):
        if heap.mcentral[size_class].num_spans:
            marked += sweep_class(heap, size_class) * heap.mcentral[size_class].elemsize
    mheap.sweeping = 0
    page_update(heap, 0, mheap.chunks << CHUNK_SHIFT)
    return marked


@kernel
def sweep_class(heap: Go, size_class: int) -> int:
    """Sweep all spans of a class: cached, full and partial. Returns the number of live objects."""
    central = heap.mcentral[size_class]
    full, partial = heap.span_set[size_class, FULL], heap.span_set[size_class, PARTIAL]
    cached, first, second = central.alloc, full.head, partial.head
    uncache(central)
    central.partial_free = 0
    full.head = full.tail = partial.head = partial.tail = 0
    live = 0
    for head in (cached, first, second):
        span = head
        while span:
            following = int(heap.mspan[span].next) if span != cached else 0
            prefetch_span(heap, following)
            live += sweep_span(heap, size_class, span)
            span = following
    return live


@kernel
def sweep_span(heap: Go, size_class: int, span: int) -> int:
    """Free the dead objects of a span, and put it into its set (mspan.sweep).

    The span is in no set at first. Returns the number of live objects.
    """
    nelems, row, live = heap.mcentral[size_class].nelems, span << BITS_SHIFT, 0
    for word in range(row, row + words_of(nelems)):
        marks = int(heap.gc_bits[word])
        heap.gc_bits[word + TAKEN] = marks
        live += ones_count64(marks)
    heap.mspan[span].alloc_count = live
    if live == 0:
        release_span(heap, size_class, span)
    else:
        push(heap, size_class, FULL if live == nelems else PARTIAL, span)
    return live


@kernel
def sweep_large(heap: Go) -> int:
    """Free the large objects that are dead; return the bytes of the others."""
    span, live = heap.span_set[0, FULL].head, 0
    while span:
        following = int(heap.mspan[span].next)
        prefetch_span(heap, following)
        if heap.gc_bits[span << BITS_SHIFT]:
            live += heap.mspan[span].npages << PAGE_SHIFT
        else:
            free_large(heap, span)
        span = following
    return live


@kernel
def free_large(heap: Go, span: int) -> None:
    """Free the span of a large object."""
    remove(heap, 0, FULL, span)
    heap.counters[0].large_pages -= heap.mspan[span].npages
    free_span(heap, span)
