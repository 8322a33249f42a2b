"""Every invariant of a heap, as plain Python over its records.

Beside the stages and apart from them: nothing here is compiled or calls a kernel, so it does not
share their mistakes. Each function proves one fact and yields a sentence for each violation; a
design names those that hold for it. Its one rule: it reads the records and changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from allocsim.core.memory import OS_PAGE, Reservation
from allocsim.core.raw import WORD
from allocsim.designs.go2008.pagemap import ENTRIES, LEVEL_BITS, PAGE_SHIFT, ROOT
from allocsim.designs.go2008.records import LARGE, Go2008, SpanState


class _Span(NamedTuple):
    """A span's record in plain numbers, which are much faster to read than a record's fields."""

    number: int
    address: int
    pages: int
    object_size: int
    objects: int
    size_class: int
    next: int
    state: int

    def lies_in(self, heap: Go2008, memory: Reservation) -> bool:
        """Whether the span lies in what was obtained: if not, spans_tile_the_heap says so."""
        end = self.address + (self.pages << PAGE_SHIFT)
        return memory.address <= self.address < end <= heap.system[0].next


def _spans(heap: Go2008) -> list[_Span]:
    """All spans, in the order of their numbers, from 1."""
    rows = heap.span[1 : int(heap.counters[0].spans) + 1]
    columns = [rows[name].tolist() for name in _Span._fields[1:]]
    return [_Span(number, *row) for number, row in enumerate(zip(*columns, strict=True), start=1)]


def _mapped(heap: Go2008, page: int) -> int:
    """The span that the page map gives for a page number, level by level; -1: it leads astray."""
    node = ROOT
    for level in (3, 2, 1, 0):
        if not 0 <= node < len(heap.node):
            return -1
        node = int(heap.node[node, (page >> level * LEVEL_BITS) % ENTRIES])
    return node


def spans_tile_the_heap(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Sorted by address, the spans cover what was obtained, with no gap and no page in two."""
    expected = memory.address
    for span in sorted(_spans(heap), key=lambda span: span.address):
        if span.pages < 1:
            yield f"span {span.number} has {span.pages} pages"
        if span.address != expected:
            yield f"span {span.number} begins at {span.address:#x}, expected {expected:#x}"
        expected = span.address + (span.pages << PAGE_SHIFT)
    if expected != heap.system[0].next:
        yield f"spans end at {expected:#x}, the heap at {heap.system[0].next:#x}"
    if heap.system[0].heap != heap.system[0].next - memory.address:
        yield f"heap counts {heap.system[0].heap} bytes, not those handed out"


def page_map_matches_spans(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Every page of every span leads to that span, the pages beside the heap to none."""
    for span in _spans(heap):
        first = span.address >> PAGE_SHIFT
        for page in range(first, first + span.pages) if span.lies_in(heap, memory) else ():
            if _mapped(heap, page) != span.number:
                found = _mapped(heap, page)
                yield f"page {page:#x} leads to span {found}, expected {span.number}"
    for page in (
        (memory.address >> PAGE_SHIFT) - 1,
        int(heap.system[0].next) >> PAGE_SHIFT,
        0,
    ):
        if _mapped(heap, page) != 0:
            yield f"page {page:#x} is no span's and leads to span {_mapped(heap, page)}"


def null_records_are_untouched(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Span 0 and page map node 0 are all zeros: unknown pages rest on it."""
    if any(heap.span[0].tobytes()):
        yield f"the null span was written: {heap.span[0]}"
    if heap.node[0].any():
        yield "the null node of the page map was written"


def page_lists_hold_the_free_spans(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """A span is FREE exactly if it is on the one list for its length; counts and order agree."""
    spans, seen = _spans(heap), set[int]()
    longest = len(heap.page_list) - 1
    for listed in range(longest + 1):
        number, count, before = int(heap.page_list[listed].head), 0, 0
        while number and number not in seen:
            if number > len(spans):
                yield f"list {listed} leads to span {number}, which there is not"
                break
            seen.add(number)
            span = spans[number - 1]
            if span.state != SpanState.FREE:
                yield f"span {number} is on list {listed} and in state {span.state}"
            if min(span.pages, longest) != listed or span.pages < before:
                yield f"span {number} of {span.pages} pages is misplaced on list {listed}"
            number, count, before = span.next, count + 1, span.pages
        if number in seen:
            yield f"span {number} is listed twice"
        if count != heap.page_list[listed].spans:
            yield f"list {listed} holds {count} spans, counted {heap.page_list[listed].spans}"
    for span in spans:
        if (span.state == SpanState.FREE) != (span.number in seen):
            yield f"span {span.number} in state {span.state} is on the wrong side of the lists"


def span_counts_agree(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """The counters of free spans, free pages and large pages equal a count of the spans."""
    counters, spans = heap.counters[0], _spans(heap)
    free = [span.pages for span in spans if span.state == SpanState.FREE]
    large = [
        span.pages for span in spans if span.size_class == LARGE and span.state != SpanState.FREE
    ]
    for name, counted, found in (
        ("free spans", counters.free_spans, len(free)),
        ("free pages", counters.free_pages, sum(free)),
        ("large pages", counters.large_pages, sum(large)),
    ):
        if counted != found:
            yield f"{counted} {name} counted, {found} found"


def free_objects_are_counted_once(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Each thread's lists hold objects of spans of their class, none twice, as many as counted."""
    spans, seen = _spans(heap), set[int]()
    cached = [0] * len(heap.size_class)
    for thread in range(int(heap.static[0].threads)):
        for size_class in _filled(heap, thread):
            where = f"list {size_class} of thread {thread}"
            length = 0
            for address in _chain(heap, memory, thread, size_class):
                length += 1
                if address in seen:
                    yield f"{where}: object {address:#x} is free twice"
                    break
                seen.add(address)
                problem = _not_an_object(heap, spans, address, size_class)
                if problem:
                    yield f"{where}: {address:#x} {problem}"
                    break
            if length != heap.object_list[thread, size_class].length:
                yield f"{where} holds {length} objects, not as counted"
            cached[size_class] += length
    for size_class, found in enumerate(cached):
        if found != heap.size_class[size_class].cached:
            yield f"class {size_class} holds {found} free objects, not as counted"


def class_counts_agree(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """In each class, objects in use and cached are all the objects of its spans."""
    spans = heap.span[1 : int(heap.counters[0].spans) + 1]
    small = spans[spans.size_class != LARGE]
    for size_class, count in enumerate(heap.size_class):
        mine = small[small.size_class == size_class]
        if count.spans != len(mine) or count.in_use + count.cached != mine.objects.sum():
            yield f"class {size_class} counts {count}, its spans hold {mine.objects.sum()} objects"
        if count.in_use < 0:
            yield f"class {size_class} has {count.in_use} objects in use"


def free_memory_is_zero(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Free spans are all zeros, and so are free objects behind their link word.

    Only pages that the kernel keeps are looked at: reading another would make it resident.
    """
    present = memory.present(int(heap.system[0].next) - memory.address)
    for span in _spans(heap):
        length = span.pages << PAGE_SHIFT
        if span.state != SpanState.FREE or not span.lies_in(heap, memory):
            continue
        if _is_written(memory, present, span.address, length):
            yield f"free span {span.number} is not all zeros"
    for thread in range(int(heap.static[0].threads)):
        for size_class in _filled(heap, thread):
            length = int(heap.size_class[size_class].object_size) - WORD
            for address in _chain(heap, memory, thread, size_class):
                inside = min(length, int(heap.system[0].next) - address - WORD)
                if _is_written(memory, present, address + WORD, inside):
                    yield f"free object {address:#x} is not all zeros"


def _filled(heap: Go2008, thread: int) -> list[int]:
    """The classes of which a thread has free objects."""
    lists = heap.object_list[thread]
    return np.flatnonzero((lists.head != 0) | (lists.fresh != lists.end)).tolist()


def _chain(heap: Go2008, memory: Reservation, thread: int, size_class: int) -> Iterator[int]:
    """The addresses on one list, as far as it stays inside the heap; a circle once."""
    objects = heap.object_list[thread, size_class]
    address = int(objects.head)
    end, walked = int(heap.system[0].next), set[int]()
    while memory.address <= address <= end - WORD:
        yield address
        if address in walked:
            break
        walked.add(address)
        address = int.from_bytes(memory.view(address, WORD), sys.byteorder, signed=True)
    if address:  # the list leads astray, and is shorter than it counts
        return
    fresh, behind = max(int(objects.fresh), memory.address), min(int(objects.end), end)
    yield from range(fresh, behind, int(heap.size_class[size_class].object_size))


def _not_an_object(heap: Go2008, spans: list[_Span], address: int, size_class: int) -> str:
    """Why `address` is not the start of an object of `size_class`; empty if it is."""
    number = _mapped(heap, address >> PAGE_SHIFT)
    if not 1 <= number <= len(spans):
        return f"lies on a page of span {number}, which there is not"
    span = spans[number - 1]
    if span.state != SpanState.IN_USE or span.size_class != size_class:
        return f"lies in a span of class {span.size_class} in state {span.state}"
    index, inside = divmod(address - span.address, span.object_size)
    if inside or index >= span.objects:
        return f"is not the start of an object of {span.object_size} bytes"
    return ""


def _is_written(memory: Reservation, present: np.ndarray, address: int, length: int) -> bool:
    """Whether a byte of the pages that are `present` is not 0, from `address` on."""
    end = address + length
    while address < end:
        page = (address - memory.address) // OS_PAGE
        behind = min(end, memory.address + (page + 1) * OS_PAGE)
        if present[page] and _any_byte(memory.view(address, behind - address)):
            return True
        address = behind
    return False


def _any_byte(view: memoryview) -> bool:
    """Whether any byte of `view` is not 0."""
    return bool(np.frombuffer(view, np.uint8).any())
