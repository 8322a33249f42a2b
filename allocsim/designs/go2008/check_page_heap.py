"""Invariants of spans, page map, page lists and metadata of a go2008 heap.

The checks are plain Python that reads the records. Nothing here is compiled or calls a kernel (a
compiled function of the allocator), so a mistake in a kernel is not repeated here. A check changes
no record and makes no page resident.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from allocsim.core.check import Invariant
from allocsim.core.memory import OS_PAGE, Reservation
from allocsim.designs.go2008.metadata import CHUNK
from allocsim.designs.go2008.pagemap import (
    LEVEL_BITS,
    LEVEL_SIZE,
    LEVELS,
    NODE_BYTES,
    PAGE_SHIFT,
    ROOT,
)
from allocsim.designs.go2008.records import LARGE, Go2008, Span, SpanState
from allocsim.designs.go2008.thread_cache import CACHE_BYTES


class SpanRow(NamedTuple):
    """A span as plain numbers, which are much faster to read than the fields of a record."""

    number: int
    address: int
    pages: int
    object_size: int
    objects: int
    size_class: int
    next: int
    state: int

    def is_inside(self, heap: Go2008, memory: Reservation) -> bool:
        """Return whether the span is inside the heap; if not, `spans_tile_the_heap` reports it."""
        end = self.address + (self.pages << PAGE_SHIFT)
        return memory.address <= self.address < end <= heap.system[0].next


def span_rows(heap: Go2008) -> list[SpanRow]:
    """Return all spans in the order of their numbers, from 1."""
    rows = heap.span[1 : int(heap.counters[0].spans) + 1]
    columns = [rows[name].tolist() for name in SpanRow._fields[1:]]
    return [SpanRow(n, *row) for n, row in enumerate(zip(*columns, strict=True), start=1)]


def mapped_span(heap: Go2008, page: int) -> int:
    """Return the span to which the page map maps a page number, or -1 if a node is invalid."""
    node = ROOT
    for level in range(LEVELS - 1, -1, -1):
        if not 0 <= node < len(heap.node):
            return -1
        node = int(heap.node[node, (page >> level * LEVEL_BITS) % LEVEL_SIZE])
    return node


def spans_tile_the_heap(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Sorted by address, the spans cover the heap without a gap or an overlap."""
    expected = memory.address
    for span in sorted(span_rows(heap), key=lambda span: span.address):
        if span.pages < 1:
            yield f"span {span.number} has {span.pages} pages"
        if span.address != expected:
            yield f"span {span.number} begins at {span.address:#x}, expected {expected:#x}"
        expected = span.address + (span.pages << PAGE_SHIFT)
    system = heap.system[0]
    if expected != system.next:
        yield f"spans end at {expected:#x}, the heap at {system.next:#x}"
    if system.heap != system.next - memory.address:
        yield f"heap counts {system.heap} bytes, expected {system.next - memory.address}"


def page_map_matches_spans(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Every page of a span is mapped to that span; pages next to the heap are mapped to no span."""
    for span in span_rows(heap):
        first = span.address >> PAGE_SHIFT
        for page in range(first, first + span.pages) if span.is_inside(heap, memory) else ():
            mapped = mapped_span(heap, page)
            if mapped != span.number:
                yield f"page {page:#x} is mapped to span {mapped}, expected {span.number}"
    before, after = (memory.address >> PAGE_SHIFT) - 1, int(heap.system[0].next) >> PAGE_SHIFT
    for page in (before, after, 0):  # the null pointer is on page 0
        mapped = mapped_span(heap, page)
        if mapped != 0:
            yield f"page {page:#x} outside the heap is mapped to span {mapped}"


def null_records_are_zero(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Span 0 and page map node 0 are all zeros: lookups of unknown pages rely on these zeros."""
    if any(heap.span[0].tobytes()):
        yield f"the null span was written: {heap.span[0]}"
    if heap.node[0].any():
        yield "the null node of the page map was written"


def page_lists_hold_the_free_spans(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """A span is on a list if and only if it is free; it is on the list for its length.

    Each list counts its spans correctly, and their lengths are ascending.
    """
    spans, visited = span_rows(heap), set[int]()
    last_list = len(heap.page_list) - 1
    for index in range(last_list + 1):
        number, count, previous_pages = int(heap.page_list[index].head), 0, 0
        while number and number not in visited:
            if number > len(spans):
                yield f"list {index} links to span {number}, which does not exist"
                break
            visited.add(number)
            span = spans[number - 1]
            if span.state != SpanState.FREE:
                yield (
                    f"span {number} is on list {index}, but in state {span.state}, not "
                    f"{SpanState.FREE} (FREE)"
                )
            if min(span.pages, last_list) != index or span.pages < previous_pages:
                yield f"span {number} of {span.pages} pages is misplaced on list {index}"
            number, count, previous_pages = span.next, count + 1, span.pages
        if number in visited:
            yield f"span {number} is listed twice"
        if count != heap.page_list[index].spans:
            yield f"list {index} holds {count} spans, but counts {heap.page_list[index].spans}"
    for span in spans:
        if (span.state == SpanState.FREE) != (span.number in visited):
            listed = "on a list" if span.number in visited else "on no list"
            yield (
                f"span {span.number} is in state {span.state} and {listed}; only spans in state "
                f"{SpanState.FREE} (FREE) are listed"
            )


def span_counts_agree(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """The counters of free spans, free pages and large pages agree with the spans."""
    counters, spans = heap.counters[0], span_rows(heap)
    free = [span.pages for span in spans if span.state == SpanState.FREE]
    large = [
        span.pages for span in spans if span.size_class == LARGE and span.state != SpanState.FREE
    ]
    for name, counted, actual in (
        ("free spans", counters.free_spans, len(free)),
        ("free pages", heap.static[0].free_pages, sum(free)),
        ("large pages", counters.large_pages, sum(large)),
    ):
        if counted != actual:
            yield f"{counted} {name} counted, {actual} found"


def metadata_covers_the_records(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Metadata consists of page map nodes and whole chunks; chunks hold all small records."""
    static = heap.static[0]
    chunks = heap.system[0].metadata - int(static.nodes - ROOT) * NODE_BYTES
    # Each small record is rounded up to a multiple of 16 bytes.
    used = int(heap.counters[0].spans) * -(-Span.dtype.itemsize // 16) * 16
    used += int(static.threads) * -(-CACHE_BYTES // 16) * 16
    if chunks % CHUNK:
        yield (
            f"metadata apart from the page map is {chunks} bytes, not a multiple of the chunk size "
            f"of {CHUNK}"
        )
    if used + static.chunk_left > chunks:
        yield (
            f"records take {used} bytes of metadata, but {chunks - static.chunk_left} are counted "
            "as used"
        )


def free_spans_are_zero(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """The memory of free spans is all zeros."""
    present = memory.present(int(heap.system[0].next) - memory.address)
    for span in span_rows(heap):
        length = span.pages << PAGE_SHIFT
        if span.state != SpanState.FREE or not span.is_inside(heap, memory):
            continue
        if any_byte_set(memory, present, span.address, length):
            yield f"free span {span.number} is not all zeros"


def any_byte_set(memory: Reservation, present: np.ndarray, address: int, length: int) -> bool:
    """Return whether a byte of the range is not 0.

    Only OS pages that are `present` are read. Reading any other page would make it resident.
    """
    end = address + length
    while address < end:
        page = (address - memory.address) // OS_PAGE
        next_page = min(end, memory.address + (page + 1) * OS_PAGE)
        length = next_page - address
        if present[page] and np.frombuffer(memory.view(address, length), np.uint8).any():
            return True
        address = next_page
    return False


INVARIANTS: tuple[Invariant, ...] = (
    spans_tile_the_heap,
    page_map_matches_spans,
    null_records_are_zero,
    page_lists_hold_the_free_spans,
    span_counts_agree,
    metadata_covers_the_records,
    free_spans_are_zero,
)
