"""Every invariant of a joining page heap and its page map, as plain Python over their records.

Beside `check`, which proves the splitting one; below `check_tiers`, which proves what is cut from
the runs. Nothing here is compiled or calls a kernel, so it does not share their mistakes. Its one
rule: it reads the records and changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from allocsim.core.memory import OS_PAGE, Reservation
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import AREA
from allocsim.designs.tcmalloc.pagemap import CLASS_BITS, LEAF_BITS, LEAF_ROWS, ROOT_ROWS
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT
from allocsim.designs.tcmalloc.span import FREE_HEAD, LIST_HEADS, LONG, RETURNED_HEAD

_FREE_STATES = (SpanState.FREE, SpanState.RETURNED)

NOWHERE = 0
"""Where a list leads that breaks off: the number of no span that could be on one."""


class Span(NamedTuple):
    """A span's record in plain numbers, which are much faster to read than a record's fields."""

    number: int
    address: int
    pages: int
    size_class: int
    state: int
    handed_out: int
    objects: int
    next: int
    previous: int
    left: int
    right: int

    @property
    def behind(self) -> int:
        """The address behind its last byte."""
        return self.address + (self.pages << PAGE_SHIFT)


def spans_of(heap: HeapState) -> dict[int, Span]:
    """All spans by number, in the order of their addresses."""
    first, last = LIST_HEADS + 1, int(heap.page_heap[0].numbered)
    rows = heap.span[first : last + 1]
    columns = [rows[name].tolist() for name in Span._fields[1:]]
    found = [Span(n, *row) for n, row in enumerate(zip(*columns, strict=True), start=first)]
    alive = [span for span in found if span.state != SpanState.NONE]
    return {span.number: span for span in sorted(alive, key=lambda span: span.address)}


def runs_tile_the_heap(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """Sorted by address, the spans cover what was obtained, no page in two; gaps are metadata."""
    spans, expected, gaps = spans_of(heap), memory.address, 0
    for span in spans.values():
        if span.pages >= 1 and span.address > expected and (span.address - expected) % AREA == 0:
            gaps += span.address - expected
        elif span.pages < 1 or span.address != expected:
            yield (
                f"span {span.number} of {span.pages} pages begins at {span.address:#x}, "
                f"expected {expected:#x}"
            )
        expected = span.behind
    end = int(heap.system[0].next)
    if expected > end or (end - expected) % AREA:
        yield f"spans end at {expected:#x}, the heap at {end:#x}"
    if expected - memory.address - gaps != heap.system[0].heap:
        yield f"heap counts {heap.system[0].heap} bytes, not those of its spans"
    if heap.counters[0].spans != len(spans):
        yield f"{heap.counters[0].spans} spans counted, {len(spans)} found"


def bounds_lead_to_their_span(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """The first and last page of a span lead to it, every page of one with a class to both."""
    for span in spans_of(heap).values():
        whole = range(span.pages) if span.size_class else {0, span.pages - 1}
        for page in whole:
            number, size_class = mapped(heap, span.address + (page << PAGE_SHIFT))
            if (number, size_class) != (span.number, span.size_class):
                yield (
                    f"page {page} of span {span.number} of class {span.size_class} leads to span "
                    f"{number} and class {size_class}"
                )


def mapped(heap: HeapState, address: int) -> tuple[int, int]:
    """The span and the class that the page map gives for an address; (-1, -1): it leads astray."""
    page = address >> PAGE_SHIFT
    leaf = int(heap.page_map[page >> LEAF_BITS]) if 0 <= page >> LEAF_BITS < ROOT_ROWS else -1
    row = ROOT_ROWS + leaf * LEAF_ROWS + page % LEAF_ROWS
    if leaf < 0 or row >= len(heap.page_map):
        return -1, -1
    entry = int(heap.page_map[row])
    return entry >> CLASS_BITS, entry % (1 << CLASS_BITS)


def null_span_is_untouched(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """Span 0 and leaf 0 of the page map are all zeros: unknown pages rest on it."""
    if any(heap.span[0].tobytes()):
        yield f"the null span was written: {heap.span[0]}"
    if heap.page_map[ROOT_ROWS : ROOT_ROWS + LEAF_ROWS].any():
        yield "the null leaf of the page map was written"


def neighbours_in_one_state_are_joined(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """No two free spans of the same state lie side by side."""
    for one, other in pairwise(spans_of(heap).values()):
        if one.state == other.state and one.state in _FREE_STATES and one.behind == other.address:
            yield f"spans {one.number} and {other.number} lie side by side in state {one.state}"


def free_spans_are_listed_once(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """A free span is on the list for its length, or in the set, of its state, and only there."""
    spans, seen = spans_of(heap), Counter[int]()
    for state, first in zip(_FREE_STATES, (FREE_HEAD, RETURNED_HEAD), strict=True):
        for length in range(1, LONG + 1):
            for number in listed(heap, first + length):
                seen[number] += 1
                span = spans.get(number)
                if span is None or (span.state, span.pages) != (state, length):
                    yield f"{_named(span, number)} is on the list of state {state}, {length} pages"
        root = heap.page_heap[0].free_set if state == SpanState.FREE else None
        members = _in_order(spans, int(heap.page_heap[0].returned_set if root is None else root))
        seen.update(members)
        yield from _set_problems(spans, members, state)
    for span in spans.values():
        if seen[span.number] != (span.state in _FREE_STATES):
            yield f"span {span.number} in state {span.state} is listed {seen[span.number]} times"


def _set_problems(spans: dict[int, Span], members: list[int], state: int) -> Iterator[str]:
    """What is wrong with a set, whose members come in its order."""
    keys = []
    for number in members:
        span = spans.get(number)
        if span is None or span.state != state or span.pages <= LONG:
            yield f"{_named(span, number)} is in the set of long spans in state {state}"
        else:
            keys.append((span.pages, span.address))
    if keys != sorted(keys):
        yield f"the set of spans in state {state} is out of order"


def _named(span: Span | None, number: int) -> str:
    """A span in words."""
    if span is None:
        return f"span {number}, which there is not,"
    return f"span {number} of {span.pages} pages in state {span.state}"


def listed(heap: HeapState, head: int) -> list[int]:
    """The numbers on a circular list; NOWHERE ends one whose links do not lead there and back."""
    found, before, number = list[int](), head, int(heap.span[head].next)
    while number != head:
        if not 0 < number < len(heap.span) or heap.span[number].previous != before:
            return [*found, NOWHERE]
        found.append(number)
        before, number = number, int(heap.span[number].next)
    return found if heap.span[head].previous == before else [*found, NOWHERE]


def _in_order(spans: dict[int, Span], root: int) -> list[int]:
    """The numbers of a set from its first to its last; NOWHERE ends one that leads astray."""
    found, above, number = list[int](), list[int](), root
    while (number or above) and len(found) + len(above) <= len(spans):
        while number in spans and len(above) <= len(spans):
            above.append(number)
            number = spans[number].left
        if number:
            return [*found, NOWHERE]
        found.append(above.pop())
        number = spans[found[-1]].right
    return found


def page_counts_agree(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """What the page heap counts equals a count of the spans; pages given back are not resident."""
    spans, page_heap = spans_of(heap).values(), heap.page_heap[0]
    free, returned = ([s.pages for s in spans if s.state == state] for state in _FREE_STATES)
    in_use = (SpanState.IN_USE, SpanState.STACK)
    large = [s.pages for s in spans if s.state in in_use and s.size_class == 0]
    for name, counted, found in (
        ("free pages", page_heap.free, sum(free)),
        ("returned pages", page_heap.returned, sum(returned)),
        ("long free spans", page_heap.long_spans, sum(p > LONG for p in free + returned)),
        ("free spans", heap.counters[0].free_spans, len(free) + len(returned)),
        ("pages of large objects", heap.counters[0].large_pages, sum(large)),
    ):
        if counted != found:
            yield f"{counted} {name} counted, {found} found"
    obtained = int(heap.system[0].next) - memory.address
    present = memory.present(min(max(obtained, 0), memory.length))
    for span in spans:
        first, behind = ((at - memory.address) // OS_PAGE for at in (span.address, span.behind))
        if span.state == SpanState.RETURNED and present[first:behind].any():
            yield f"span {span.number} was given back, and its pages are resident"
