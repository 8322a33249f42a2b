"""The spans of a class, in two sets: those with a free slot, and full ones (runtime/mcentral.go).

Invariant: a span of a class is cached (`alloc`) or in exactly one of the two sets. The spans of
large objects are in no set; in Go, they are in the full set of class 0, whose order does not
matter. With the parameter `direct`, a free takes effect at once, nothing is swept, and full spans
are in no set.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.prefetch import prefetch
from allocsim.designs.go.mheap import alloc_span, free_span
from allocsim.designs.go.records import FULL, PARTIAL, Go, MCentral
from allocsim.designs.go.size_classes import PAGE_SHIFT
from allocsim.designs.go.spans import (
    BITS_SHIFT,
    live_slots,
    page_of,
    prefetch_span,
    set_spans,
    words_of,
)


@kernel
def push(heap: Go, size_class: int, column: int, span: int) -> None:
    """Add a span at the tail of a set (spanSet.push)."""
    queue, use = heap.span_set[size_class, column], heap.span_use[span]
    use.next, use.prev = 0, queue.tail
    if queue.tail:
        heap.span_use[queue.tail].next = span
    else:
        queue.head = span
    queue.tail = span
    if column == PARTIAL:
        heap.mheap[0].partial += free_bytes(heap, size_class, span)


@kernel
def remove(heap: Go, size_class: int, span: int) -> None:
    """Take a span out of the partial set (spanSet.pop, if it is the first)."""
    queue, use = heap.span_set[size_class, PARTIAL], heap.span_use[span]
    if use.prev:
        heap.span_use[use.prev].next = use.next
    else:
        queue.head = use.next
    if use.next:
        heap.span_use[use.next].prev = use.prev
    else:
        queue.tail = use.prev
    heap.mheap[0].partial -= free_bytes(heap, size_class, span)


@kernel
def free_bytes(heap: Go, size_class: int, span: int) -> int:
    """Return the bytes of the free slots of a span; they are counted in `partial` or `cached`."""
    central = heap.mcentral[size_class]
    return (central.nelems - heap.span_use[span].alloc_count) * central.elemsize


@kernel
def tail_bytes(central: MCentral) -> int:
    """Return the bytes of a span of this class that are not in slots."""
    return (central.npages << PAGE_SHIFT) - central.nelems * central.elemsize


@kernel
def cache_span(heap: Go, size_class: int) -> int:
    """Return a span that has a free slot and is in no set; 0 on failure (mcentral.cacheSpan)."""
    span = heap.span_set[size_class, PARTIAL].head
    if span:
        remove(heap, size_class, span)
        # Freeing an object of the span reads the span's page map entry.
        prefetch(heap.spans, page_of(heap, heap.mspan[span].start_addr))
        prefetch_span(heap, heap.span_set[size_class, PARTIAL].head)
        return span
    return _grow(heap, size_class)


@kernel
def uncache_span(heap: Go, size_class: int, span: int) -> None:
    """Move a span from the cache to its set (mcentral.uncacheSpan).

    The search for free slots has reached the end of the span. Without `direct`, the span is full.
    With `direct`, slots may have become free after the search passed them, and they can be taken
    when the span is cached again. With `direct`, a full span joins no set, and an empty span is
    freed.
    """
    use, nelems = heap.span_use[span], heap.mcentral[size_class].nelems
    if not heap.mheap[0].direct:
        use.alloc_count = nelems
        push(heap, size_class, FULL, span)
        return
    use.alloc_count = live_slots(heap, span, nelems)
    heap.mheap[0].cached -= free_bytes(heap, size_class, span)
    if use.alloc_count == 0:
        release_span(heap, size_class, span)
    elif use.alloc_count < nelems:
        push(heap, size_class, PARTIAL, span)


@kernel
def release_span(heap: Go, size_class: int, span: int) -> None:
    """Free a span that has no object and is in no set."""
    heap.mheap[0].tails -= tail_bytes(heap.mcentral[size_class])
    free_span(heap, span)


@kernel
def _grow(heap: Go, size_class: int) -> int:
    """Allocate an empty span of a class; return it, or 0 on failure (mcentral.grow)."""
    central = heap.mcentral[size_class]
    span = alloc_span(heap, central.npages, size_class)
    if span == 0:
        return 0
    row = span << BITS_SHIFT
    for word in range(row, row + 2 * words_of(central.nelems)):
        heap.gc_bits[word] = 0
    set_spans(heap, span, size_class)
    heap.mheap[0].tails += tail_bytes(central)
    heap.counters[0].refills += 1
    return span
