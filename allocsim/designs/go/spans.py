"""The page map (mheap.setSpans), and the bits that say which slots of a span are in use.

The page map has an entry for each page. An entry holds the span, the page's distance from the
span's start and the class, so that freeing a small object reads no span record. The entry of a page
outside all spans is 0. A large object has two entries: for the first page of its span, and for the
page at which the object starts.

Each span has two bits for each slot. The live bit says that the slot holds an object that is not
dead; it takes the place of Go's mark bit. The other bit says that the slot was taken when the span
was last swept (allocBits). With the parameter `direct`, nothing is swept, and the live bits also
say which slots are taken.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.prefetch import prefetch
from allocsim.designs.go.records import Go
from allocsim.designs.go.size_classes import PAGE_SHIFT
from allocsim.designs.go.sys import ones_count64

BITS_SHIFT = 4
"""Log2 of the number of words that `gc_bits` has for each span: 8 words of live bits, each followed
by a word of taken bits for the same slots. No span in use has more than 512 slots, because requests
below 16 bytes share blocks of 16 bytes."""

TAKEN = 1
"""Distance in words from a word of live bits to the word of taken bits for the same slots. All bits
of a span of up to 256 slots are in one cache line."""

CLASS_MASK = 0xFF
"""Mask of the class in an entry."""

DISTANCE_SHIFT = 8
"""Position, in an entry, of the 8 bits for the page's distance from the start of its span."""

SPAN_SHIFT = 16
"""Position of the span in an entry."""


@kernel
def entry_of(span: int, distance: int, size_class: int) -> int:
    """Return the entry of a page, `distance` pages after the start of its span."""
    return span << SPAN_SHIFT | distance << DISTANCE_SHIFT | size_class


@kernel
def page_of(heap: Go, address: int) -> int:
    """Return the number of the page at `address`."""
    return (address - heap.mheap[0].start) >> PAGE_SHIFT


@kernel
def set_spans(heap: Go, span: int, size_class: int) -> None:
    """Map every page of a span of small objects to the span (mheap.setSpans)."""
    record = heap.mspan[span]
    first = page_of(heap, record.start_addr)
    for distance in range(record.npages):
        heap.spans[first + distance] = entry_of(span, distance, size_class)


@kernel
def clear_spans(heap: Go, span: int) -> None:
    """Remove the pages of a span from the page map."""
    record = heap.mspan[span]
    first = page_of(heap, record.start_addr)
    if heap.span_use[span].size_class > 0:
        for page in range(first, first + record.npages):
            heap.spans[page] = 0
    else:
        heap.spans[first] = heap.spans[first + record.offset] = 0


@kernel
def span_of(heap: Go, address: int) -> int:
    """Return the span that the page at `address` is mapped to, or 0."""
    return int(heap.spans[page_of(heap, address)]) >> SPAN_SHIFT


@kernel
def prefetch_span(heap: Go, span: int) -> None:
    """Prefetch the record and the bits of a span that will be used soon.

    In a large heap, a span is used so rarely that the CPU's caches do not hold this data.
    """
    prefetch(heap.mspan, span)
    prefetch(heap.span_use, span)
    prefetch(heap.gc_bits, span << BITS_SHIFT)


@kernel
def prefetch_object(heap: Go, address: int, near: bool) -> int:
    """Prefetch what `free` reads for the object at `address` (see `core.operations.prefetch`).

    If `near` is False, this is the page map entry. If it is True, this is the bits of the span to
    which the entry leads, and the span's records if a free reads them. Returns a Status.
    """
    page = page_of(heap, address)
    if near:
        entry = int(heap.spans[min(max(page, 0), len(heap.spans) - 1)])
        if heap.mheap[0].direct or entry & CLASS_MASK == 0:
            prefetch_span(heap, entry >> SPAN_SHIFT)
        else:  # the free reads only the bits
            prefetch(heap.gc_bits, entry >> SPAN_SHIFT << BITS_SHIFT)
    else:
        prefetch(heap.spans, page)
    return Status.OK


@kernel
def words_of(slots: int) -> int:
    """Return how many words hold the bits of `slots` slots."""
    return (slots + 63) >> 6


@kernel
def live_slots(heap: Go, span: int, slots: int) -> int:
    """Return how many live bits of a span of `slots` slots are set."""
    row, live = span << BITS_SHIFT, 0
    for word in range(row, row + 2 * words_of(slots), 2):
        live += ones_count64(int(heap.gc_bits[word]))
    return live
