"""Invariants of pages and of the page map, checked in plain Python.

Nothing here is compiled or calls a kernel (a compiled function of the allocator), so a mistake in a
kernel is not repeated here. A check reads the records and changes nothing. The records may be
corrupt, so their values are validated before they are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from allocsim.core.memory import Reservation
from allocsim.designs.go.metadata import ARENA_BYTES, FIXALLOC_CHUNK, SPANS_PER_CHUNK
from allocsim.designs.go.records import STACK, Go

PAGE = 8192
CHUNK_PAGES = 512
"""Bytes of a page, and pages of a chunk, repeated here so that a wrong constant is detected."""

SEARCHES = ("search begins at", "forced search begins at", "free_hwm is")
"""The page numbers that the scavenger stores, as messages name them."""


class SpanCopy(NamedTuple):
    """A span's record as plain numbers, which are much faster to read than a record's fields."""

    number: int
    start_addr: int
    npages: int
    offset: int
    alloc_count: int
    size_class: int

    @property
    def end(self) -> int:
        """The address after the span's last byte."""
        return self.start_addr + self.npages * PAGE


def spans_of(heap: Go) -> list[SpanCopy]:
    """Return the spans in use, in the order of their addresses."""
    last = min(max(int(heap.mheap[0].last_span), 0), len(heap.mspan) - 1)
    tables = [heap.mspan] * 3 + [heap.span_use] * 2
    columns = [
        table[name][1 : last + 1].tolist()
        for table, name in zip(tables, SpanCopy._fields[1:], strict=True)
    ]
    copies = [SpanCopy(n, *row) for n, row in enumerate(zip(*columns, strict=True), start=1)]
    return sorted((span for span in copies if span.start_addr), key=lambda span: span.start_addr)


def chunks_of(heap: Go) -> int:
    """Return the number of chunks, computed from the memory obtained."""
    return (int(heap.system[0].next) - int(heap.mheap[0].start)) // (CHUNK_PAGES * PAGE)


def bits_of(heap: Go, first: int) -> np.ndarray:
    """Return a bit for each page: the in-use bit if `first` is 0, the released bit if it is 8."""
    words = heap.palloc_bits[: chunks_of(heap) * 16].reshape(-1, 16)[:, first : first + 8]
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), bitorder="little")


def cached_pages(heap: Go) -> list[int]:
    """Return the free pages of the page cache."""
    mheap = heap.mheap[0]
    word, base = int(mheap.page_cache), int(mheap.page_cache_base)
    return [base + bit for bit in range(64) if word >> bit & 1]


def chunks_are_what_was_obtained(heap: Go, memory: Reservation) -> Iterator[str]:
    """The heap begins at the start of the reservation, and consists of whole chunks."""
    system, mheap = heap.system[0], heap.mheap[0]
    length = int(system.next) - memory.address
    if mheap.start != memory.address or not length == system.heap == int(mheap.chunks) * 4 << 20:
        yield (
            f"{system.heap} bytes and {mheap.chunks} chunks counted from {mheap.start:#x}, but the "
            f"heap has {length} bytes from {memory.address:#x}"
        )


def pages_in_use_belong_to_one_span(heap: Go, memory: Reservation) -> Iterator[str]:
    """Each page in use is in exactly one span or in the page cache; the count of pages is right."""
    expected = np.zeros(chunks_of(heap) * CHUNK_PAGES, np.int64)
    for span in spans_of(heap):
        first, rest = divmod(span.start_addr - memory.address, PAGE)
        if rest or not 0 <= first < first + span.npages <= len(expected):
            yield (f"span {span.number} ({span.npages} pages at {span.start_addr:#x}) is not valid")
            continue
        expected[first : first + span.npages] += 1
    cached = cached_pages(heap)
    if cached and not 0 <= cached[0] <= cached[-1] < len(expected):
        yield f"the page cache at page {cached[0]} is outside the heap"
        cached = []
    in_spans = int(expected.sum())
    expected[cached] += 1
    wrong = np.flatnonzero(expected != bits_of(heap, 0))
    if len(wrong):
        yield (
            f"page {wrong[0]} was found {expected[wrong[0]]}x in spans and the page cache, but its "
            "bit in the page bitmap disagrees"
        )
    counted = int(heap.mheap[0].pages_in_use) + int(heap.mheap[0].manual_pages)
    if counted != in_spans:
        yield f"{counted} pages are counted as in use, but spans have {in_spans} pages"


def released_pages_are_free(heap: Go, memory: Reservation) -> Iterator[str]:
    """Every released page is free, and the count of released bytes is right."""
    released = bits_of(heap, 8)
    both = np.flatnonzero(released & bits_of(heap, 0))
    if len(both):
        yield f"page {both[0]} is in use and released"
    mheap = heap.mheap[0]
    if mheap.page_cache_scav & ~mheap.page_cache:
        yield "the page cache marks pages as released, but not as free"
    cached = (int(mheap.page_cache_scav) & (1 << 64) - 1).bit_count()
    if (int(released.sum()) + cached) * PAGE != heap.system[0].released:
        yield (
            f"{heap.system[0].released} bytes are counted as released, but "
            f"{released.sum() + cached} pages are released"
        )


def no_page_below_the_search_address_is_free(heap: Go, memory: Reservation) -> Iterator[str]:
    """Every page below the search address is in use."""
    free = np.flatnonzero(bits_of(heap, 0) == 0)
    search = int(heap.mheap[0].search_addr)
    if not 0 <= search <= chunks_of(heap) * CHUNK_PAGES:
        yield f"the search begins at page {search}, outside the heap"
    if len(free) and free[0] < search:
        yield f"page {free[0]} is free, but the search begins at page {search}"


def summaries_describe_the_bitmap(heap: Go, memory: Reservation) -> Iterator[str]:
    """A summary has the lengths of the first, longest and last run of free pages of its chunks.

    The first run begins at the first page, and the last run ends at the last page; either may have
    length 0.
    """
    if heap.mheap[0].sweeping:
        yield "a sweep has not ended, so the summaries are out of date"
    bits = bits_of(heap, 0)
    for level, pages in enumerate((CHUNK_PAGES, 8 * CHUNK_PAGES, 64 * CHUNK_PAGES)):
        for index in range(-(-len(bits) // pages)):
            part = bits[index * pages : (index + 1) * pages]
            summary = heap.summary[level, index].tolist()
            if summary != (expected := _summary(part, pages)):
                yield f"summary {index} of level {level} is {summary}, expected {expected}"


def _summary(bits: np.ndarray, pages: int) -> tuple[int, int, int]:
    """Return the number of free pages at the start, in the longest run, and at the end.

    Pages of chunks that are not mapped are not free.
    """
    used = np.flatnonzero(np.append(bits, [1] * (pages - len(bits))))
    if not len(used):
        return pages, pages, pages
    runs = np.diff(used, prepend=-1, append=pages) - 1
    return int(runs[0]), int(runs.max()), int(runs[-1])


def scavenger_counts_the_pages_of_chunks(heap: Go, memory: Reservation) -> Iterator[str]:
    """The scavenger's counts of pages in use are right, and a full chunk has nothing to release."""
    used = bits_of(heap, 0).reshape(-1, CHUNK_PAGES).sum(axis=1)
    for chunk, record in enumerate(heap.scav_chunk[: len(used)]):
        counted = record.in_use
        if counted != used[chunk]:
            yield (
                f"chunk {chunk} has {used[chunk]} pages in use, but the scavenger counts {counted}"
            )
        if record.has_free and counted == CHUNK_PAGES:
            yield f"chunk {chunk} is full, but the scavenger records free pages in it"
    searches, pages = heap.scav_search.page.tolist(), len(used) * CHUNK_PAGES
    for name, page in zip(SEARCHES, (*searches, heap.scavenger[0].free_hwm), strict=True):
        if not -1 <= page < max(pages, 1):
            yield f"the scavenger's {name} page {page}, but the heap has {pages} pages"
    free = np.flatnonzero((bits_of(heap, 0) | bits_of(heap, 8)) == 0)
    if len(free) and searches[1] < free[-1]:
        yield f"page {free[-1]} can be released, but the forced search begins at {searches[1]}"


def spans_are_mapped(heap: Go, memory: Reservation) -> Iterator[str]:
    """Each page of small objects is mapped to its span.

    For a large object, the first page of its span and the page at which the object starts are
    mapped. The two may differ if the object is aligned to more than a page.
    """
    actual = heap.spans[: chunks_of(heap) * CHUNK_PAGES]  # the whole table can be 32 GiB long
    expected = np.zeros(len(actual), np.int64)
    for span in spans_of(heap):
        first = (span.start_addr - memory.address) // PAGE
        small = span.size_class > 0
        length = min(span.npages, len(expected))
        for distance in range(length) if small else {0, span.offset}:
            if 0 <= first + distance < len(expected):
                part = distance << 8 | span.size_class if small else 0
                expected[first + distance] = span.number << 16 | part
    for page in np.flatnonzero(expected != actual)[:3]:
        yield f"page {page} is mapped to {actual[page]:#x}, expected {expected[page]:#x}"


def records_are_counted(heap: Go, memory: Reservation) -> Iterator[str]:
    """Each span record is in use or listed as unused; no spans overlap.

    The counts of spans, of pages of large objects and of metadata are right.
    """
    spans, mheap, counters = spans_of(heap), heap.mheap[0], heap.counters[0]
    unused, number = set[int](), int(mheap.unused_span)
    while 0 < number <= mheap.last_span and number not in unused:
        unused.add(number)
        number = int(heap.span_use[number].prev)
    if number or len(unused) + len(spans) != mheap.last_span:
        yield (
            f"there are {mheap.last_span} span records, but {len(spans)} are in use and "
            f"{len(unused)} are listed as unused"
        )
    if counters.spans != len(spans) or unused & {span.number for span in spans}:
        yield f"{counters.spans} spans counted, {len(spans)} found"
    large = sum(span.npages for span in spans if span.size_class in (0, STACK))
    if counters.large_pages != large:
        yield f"{counters.large_pages} pages of large objects counted, {large} found"
    chunks = -(-int(mheap.last_span) // SPANS_PER_CHUNK)
    arenas = -(-chunks_of(heap) // 16)
    if heap.system[0].metadata != chunks * FIXALLOC_CHUNK + arenas * ARENA_BYTES:
        yield (
            f"metadata of {heap.system[0].metadata} bytes does not match {chunks} chunks of span "
            f"records and {arenas} arenas"
        )
    for one, two in pairwise(spans):
        if one.end > two.start_addr:
            yield f"span {one.number} overlaps span {two.number}"
