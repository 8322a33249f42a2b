"""Invariants of the page heap and the page map, checked in plain Python.

Nothing here is compiled or calls a kernel (a compiled function of the allocator), so a mistake in a
kernel is not repeated here. A check reads the records and changes nothing. The records may be
corrupt, so every link is validated before it is followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from allocsim.core.memory import OS_PAGE, Reservation
from allocsim.designs.tcmalloc.cache_limit import CACHES_PER_CHUNK
from allocsim.designs.tcmalloc.metadata import ALLOC_INCREMENT, METADATA_ALLOC_CHUNK_SIZE
from allocsim.designs.tcmalloc.page_heap import NODES_PER_CHUNK
from allocsim.designs.tcmalloc.page_release import GROWTHS_PER_CHUNK
from allocsim.designs.tcmalloc.pagemap import (
    CLASS_BITS,
    LEAF_BITS,
    LEAF_BYTES,
    LEAF_ROWS,
    ROOT_ROWS,
)
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT
from allocsim.designs.tcmalloc.span import (
    FREE_HEAD,
    LIST_HEADS,
    MAX_PAGES,
    RESERVED_SPANS,
    RETURNED_HEAD,
    SPANS_PER_CHUNK,
)

_FREE_STATES = (SpanState.FREE, SpanState.RETURNED)

BROKEN_LINK = 0
"""The last entry of a listing that ends at a broken link. Span 0 is never on a list or in a set."""


class SpanCopy(NamedTuple):
    """A span's record as plain numbers, which are much faster to read than a record's fields."""

    number: int
    address: int
    pages: int
    size_class: int
    state: int
    refcount: int
    objects: int
    next: int
    previous: int
    left: int
    right: int

    @property
    def end(self) -> int:
        """The address after the span's last byte."""
        return self.address + (self.pages << PAGE_SHIFT)


def spans_of(heap: Tcmalloc) -> dict[int, SpanCopy]:
    """Return all spans by number, in the order of their addresses."""
    first, last = LIST_HEADS + 1, int(heap.page_heap[0].last_span)
    rows = heap.span[first : last + 1]
    columns = [rows[name].tolist() for name in SpanCopy._fields[1:]]
    copies = [SpanCopy(n, *row) for n, row in enumerate(zip(*columns, strict=True), start=first)]
    used = [span for span in copies if span.state != SpanState.NONE]
    return {span.number: span for span in sorted(used, key=lambda span: span.address)}


def spans_tile_the_heap(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """Spans cover each page of the heap exactly once; the only gaps are areas of metadata."""
    spans, expected, gaps = spans_of(heap), memory.address, 0
    for span in spans.values():
        gap = span.address - expected
        if span.pages >= 1 and gap > 0 and gap % METADATA_ALLOC_CHUNK_SIZE == 0:
            gaps += gap
        elif span.pages < 1 or gap != 0:
            yield (
                f"span {span.number} of {span.pages} pages starts at {span.address:#x}, "
                f"expected {expected:#x}"
            )
        expected = span.end
    end = int(heap.system[0].next)
    if expected > end or (end - expected) % METADATA_ALLOC_CHUNK_SIZE:
        yield f"spans end at {expected:#x}, the heap at {end:#x}"
    if expected - memory.address - gaps != heap.system[0].heap:
        yield (
            f"heap is {heap.system[0].heap} bytes, but its spans have "
            f"{expected - memory.address - gaps}"
        )
    if heap.counters[0].spans != len(spans):
        yield f"spans counted: {heap.counters[0].spans}, found: {len(spans)}"


def spans_are_mapped(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """The first and last page of a span are mapped to it; if it has a size class, all pages are."""
    for span in spans_of(heap).values():
        checked = range(span.pages) if span.size_class else {0, span.pages - 1}
        for page in checked:
            number, size_class = mapped(heap, span.address + (page << PAGE_SHIFT))
            if (number, size_class) != (span.number, span.size_class):
                yield (
                    f"page {page} of span {span.number} of class {span.size_class} is mapped to "
                    f"span {number} and class {size_class}"
                )


def mapped(heap: Tcmalloc, address: int) -> tuple[int, int]:
    """Return the span and class that an address is mapped to; (-1, -1) if there is no entry."""
    page = address >> PAGE_SHIFT
    leaf = int(heap.page_map[page >> LEAF_BITS]) if 0 <= page >> LEAF_BITS < ROOT_ROWS else -1
    row = ROOT_ROWS + leaf * LEAF_ROWS + page % LEAF_ROWS
    if leaf < 0 or row >= len(heap.page_map):
        return -1, -1
    entry = int(heap.page_map[row])
    return entry >> CLASS_BITS, entry % (1 << CLASS_BITS)


def null_span_is_untouched(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """Span 0 and leaf 0 of the page map, which stand for unknown pages, are all zeros."""
    if any(heap.span[0].tobytes()):
        yield f"the null span was written: {heap.span[0]}"
    if heap.page_map[ROOT_ROWS : ROOT_ROWS + LEAF_ROWS].any():
        yield "the null leaf of the page map was written"


def free_neighbours_are_coalesced(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """No two free spans in the same state are adjacent."""
    for one, other in pairwise(spans_of(heap).values()):
        if one.state == other.state and one.state in _FREE_STATES and one.end == other.address:
            yield (
                f"spans {one.number} and {other.number} in state {one.state} are adjacent, but "
                "not coalesced"
            )


def free_spans_are_listed_once(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """A free span is listed once: on the list for its state and length, or in its state's set."""
    spans, listings = spans_of(heap), Counter[int]()
    roots = (heap.page_heap[0].large_normal, heap.page_heap[0].large_returned)
    for state, first, root in zip(_FREE_STATES, (FREE_HEAD, RETURNED_HEAD), roots, strict=True):
        for length in range(1, MAX_PAGES + 1):
            for number in listed(heap, first + length):
                listings[number] += 1
                span = spans.get(number)
                if span is None or (span.state, span.pages) != (state, length):
                    where = f"is on the list of state {state} and length {length}"
                    yield f"{_named(span, number)} {where}"
        members = _in_order(spans, int(root))
        listings.update(members)
        yield from _set_problems(spans, members, state)
    for span in spans.values():
        if listings[span.number] != (span.state in _FREE_STATES):
            times = listings[span.number]
            yield f"span {span.number} in state {span.state} is listed {times} times"


def _set_problems(spans: dict[int, SpanCopy], members: list[int], state: int) -> Iterator[str]:
    """Yield the violations in the set of large spans in `state`, which holds `members` in order."""
    keys = []
    for number in members:
        span = spans.get(number)
        if span is None or span.state != state or span.pages <= MAX_PAGES:
            yield f"{_named(span, number)} is in the set of large spans in state {state}"
        else:
            keys.append((span.pages, span.address))
    if keys != sorted(keys):
        yield f"the set of spans in state {state} is out of order"


def _named(span: SpanCopy | None, number: int) -> str:
    """Describe a span, which may not exist."""
    if span is None:
        return f"span {number}, which does not exist,"
    return f"span {number} of {span.pages} pages in state {span.state}"


def listed(heap: Tcmalloc, head: int) -> list[int]:
    """Return the spans on a circular list.

    If a span's `previous` is not the span before it, the result ends there with BROKEN_LINK.
    """
    numbers, before, number = list[int](), head, int(heap.span[head].next)
    while number != head:
        if not 0 < number < len(heap.span) or heap.span[number].previous != before:
            return [*numbers, BROKEN_LINK]
        numbers.append(number)
        before, number = number, int(heap.span[number].next)
    return numbers if heap.span[head].previous == before else [*numbers, BROKEN_LINK]


def _in_order(spans: dict[int, SpanCopy], root: int) -> list[int]:
    """Return the spans of a set in order.

    If a link leads to no span, the result ends there with BROKEN_LINK.
    """
    numbers, above, number = list[int](), list[int](), root
    # The bounds end the walk if the links of a corrupt set form a cycle.
    while (number or above) and len(numbers) + len(above) <= len(spans):
        while number in spans and len(above) <= len(spans):
            above.append(number)
            number = spans[number].left
        if number:
            return [*numbers, BROKEN_LINK]
        numbers.append(above.pop())
        number = spans[numbers[-1]].right
    return numbers


def page_counts_agree(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """The page heap's counts agree with the spans; released pages are not resident."""
    spans, page_heap = spans_of(heap).values(), heap.page_heap[0]
    free, returned = ([s.pages for s in spans if s.state == state] for state in _FREE_STATES)
    in_use = (SpanState.IN_USE, SpanState.STACK)
    large = [s.pages for s in spans if s.state in in_use and s.size_class == 0]
    for name, counted, actual in (
        ("free pages", page_heap.free_pages, sum(free)),
        ("returned pages", page_heap.unmapped_pages, sum(returned)),
        ("large free spans", page_heap.large_spans, sum(p > MAX_PAGES for p in free + returned)),
        ("free spans", heap.counters[0].free_spans, len(free) + len(returned)),
        ("pages of large objects", heap.counters[0].large_pages, sum(large)),
    ):
        if counted != actual:
            yield f"{name} counted: {counted}, found: {actual}"
    yield from _resident_problems(heap, memory, spans)


def _resident_problems(
    heap: Tcmalloc, memory: Reservation, spans: Iterable[SpanCopy]
) -> Iterator[str]:
    """Yield the released spans that have resident pages."""
    obtained = int(heap.system[0].next) - memory.address
    present = memory.present(min(max(obtained, 0), memory.length))
    for span in spans:
        first, end = ((at - memory.address) // OS_PAGE for at in (span.address, span.end))
        if span.state == SpanState.RETURNED and present[first:end].any():
            yield f"span {span.number} was released, but some of its pages are resident"


def metadata_covers_the_records(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """The metadata is the page map's leaves, and chunks of records.

    Each kind of record has just enough chunks for the largest number of records so far.
    """
    page_heap = heap.page_heap[0]
    needed = (
        (int(page_heap.last_span) - LIST_HEADS + RESERVED_SPANS, SPANS_PER_CHUNK),
        (max(int(heap.counters[0].grows), 1), GROWTHS_PER_CHUNK),
        (max(int(heap.static[0].max_thread_heap_count), 1), CACHES_PER_CHUNK),
        (int(page_heap.max_large_spans), NODES_PER_CHUNK),
    )
    chunks = sum(-(-count // per_chunk) for count, per_chunk in needed)
    leaves = int(np.count_nonzero(heap.page_map[:ROOT_ROWS]))
    expected = leaves * LEAF_BYTES + chunks * ALLOC_INCREMENT
    if heap.system[0].metadata != expected:
        yield f"metadata is {heap.system[0].metadata} bytes, but the records need {expected}"
    if page_heap.leaves != leaves + 1:
        yield f"leaves counted: {page_heap.leaves}, found: {leaves + 1} (with the null leaf)"
