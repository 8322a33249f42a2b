"""Every invariant of a heap, as plain Python over its records.

Beside the stages and apart from them: nothing here is compiled or calls a kernel, so it does not
share their mistakes. Each function proves one fact and yields a sentence for each violation; a
design names those that hold for it. Its one rule: it reads the records and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from allocsim.core.memory import Reservation
from allocsim.core.pagemap import ENTRIES, LEVEL_BITS, PAGE_SHIFT, ROOT
from allocsim.core.raw import WORD
from allocsim.core.records import LARGE, HeapState, SpanState

Invariant = Callable[[HeapState, Reservation], Iterator[str]]
"""Yields a sentence for every violation of one fact."""


def violations(
    heap: HeapState, memory: Reservation, invariants: tuple[Invariant, ...], most: int = 20
) -> list[str]:
    """What does not hold of `heap`, as sentences, at most `most` for each invariant."""
    found: list[str] = []
    for invariant in invariants:
        for count, sentence in enumerate(invariant(heap, memory)):
            if count == most:
                found.append(f"... and more of the same ({invariant.__name__})")
                break
            found.append(sentence)
    return found


def _spans(heap: HeapState) -> range:
    """The numbers of all spans."""
    return range(1, int(heap.counters[0].spans) + 1)


def _mapped(heap: HeapState, page: int) -> int:
    """The span that the page map gives for a page number, walked level by level."""
    node = ROOT
    for level in (3, 2, 1, 0):
        node = int(heap.node[node, (page >> level * LEVEL_BITS) % ENTRIES])
    return node


def spans_tile_the_heap(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """Sorted by address, the spans cover what was obtained, with no gap and no page in two."""
    expected = memory.address
    for span in sorted(_spans(heap), key=lambda span: int(heap.span[span].address)):
        record = heap.span[span]
        if record.pages < 1:
            yield f"span {span} has {record.pages} pages"
        if record.address != expected:
            yield f"span {span} begins at {record.address:#x}, expected {expected:#x}"
        expected = int(record.address + (record.pages << PAGE_SHIFT))
    if expected != heap.system[0].next:
        yield f"spans end at {expected:#x}, the heap at {heap.system[0].next:#x}"
    if heap.system[0].heap != heap.system[0].next - memory.address:
        yield f"heap counts {heap.system[0].heap} bytes, not those handed out"


def page_map_matches_spans(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """Every page of every span leads to that span, the pages beside the heap to none."""
    for span in _spans(heap):
        first = int(heap.span[span].address) >> PAGE_SHIFT
        for page in range(first, first + int(heap.span[span].pages)):
            if _mapped(heap, page) != span:
                yield f"page {page:#x} leads to span {_mapped(heap, page)}, expected {span}"
    for page in (
        (memory.address >> PAGE_SHIFT) - 1,
        int(heap.system[0].next) >> PAGE_SHIFT,
        0,
    ):
        if _mapped(heap, page) != 0:
            yield f"page {page:#x} is no span's and leads to span {_mapped(heap, page)}"


def null_records_are_untouched(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """Span 0 and page map node 0 are all zeros: unknown pages rest on it."""
    if heap.span[0].state != SpanState.NONE or heap.span[0].pages:
        yield f"the null span was written: {heap.span[0]}"
    if heap.node[0].any():
        yield "the null node of the page map was written"


def page_lists_hold_the_free_spans(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """A span is FREE exactly if it is on the one list for its length; counts and order agree."""
    seen: set[int] = set()
    longest = len(heap.page_list) - 1
    for listed in range(longest + 1):
        span, spans, before = int(heap.page_list[listed].head), 0, 0
        while span and span not in seen:
            seen.add(span)
            record = heap.span[span]
            if record.state != SpanState.FREE:
                yield f"span {span} is on list {listed} and in state {record.state}"
            if min(record.pages, longest) != listed or record.pages < before:
                yield f"span {span} of {record.pages} pages is misplaced on list {listed}"
            spans, before, span = spans + 1, int(record.pages), int(record.next)
        if span:
            yield f"span {span} is listed twice"
        if spans != heap.page_list[listed].spans:
            yield f"list {listed} holds {spans} spans, counted {heap.page_list[listed].spans}"
    for span in _spans(heap):
        if (heap.span[span].state == SpanState.FREE) != (span in seen):
            yield f"span {span} in state {heap.span[span].state} is on the wrong side of the lists"


def span_counts_agree(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """The counters of free spans, free pages and large pages equal a count of the spans."""
    counters = heap.counters[0]
    spans = heap.span[1 : int(counters.spans) + 1]
    free = spans[spans.state == SpanState.FREE]
    large = spans[(spans.state != SpanState.FREE) & (spans.size_class == LARGE)]
    for name, counted, found in (
        ("free spans", counters.free_spans, len(free)),
        ("free pages", counters.free_pages, free.pages.sum()),
        ("large pages", counters.large_pages, large.pages.sum()),
    ):
        if counted != found:
            yield f"{counted} {name} counted, {found} found"


def free_objects_are_counted_once(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """Each thread's lists hold objects of spans of their class, none twice, as many as counted."""
    seen: set[int] = set()
    cached = [0] * len(heap.size_class)
    for thread in range(int(heap.counters[0].threads)):
        for size_class in _filled(heap, thread):
            where = f"list {size_class} of thread {thread}"
            length = 0
            for address in _chain(heap, memory, thread, size_class):
                length += 1
                if address in seen:
                    yield f"{where}: object {address:#x} is free twice"
                    break
                seen.add(address)
                problem = _not_an_object(heap, address, size_class)
                if problem:
                    yield f"{where}: {address:#x} {problem}"
                    break
            if length != heap.object_list[thread, size_class].length:
                yield f"{where} holds {length} objects, not as counted"
            cached[size_class] += length
    for size_class, found in enumerate(cached):
        if found != heap.size_class[size_class].cached:
            yield f"class {size_class} holds {found} free objects, not as counted"


def class_counts_agree(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """In each class, objects in use and cached are all the objects of its spans."""
    spans = heap.span[1 : int(heap.counters[0].spans) + 1]
    small = spans[spans.size_class != LARGE]
    for size_class, count in enumerate(heap.size_class):
        mine = small[small.size_class == size_class]
        if count.spans != len(mine) or count.in_use + count.cached != mine.objects.sum():
            yield f"class {size_class} counts {count}, its spans hold {mine.objects.sum()} objects"
        if count.in_use < 0:
            yield f"class {size_class} has {count.in_use} objects in use"


def free_memory_is_zero(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """Free spans are all zeros, and so are free objects behind their link word."""
    for span in _spans(heap):
        record = heap.span[span]
        length = int(record.pages) << PAGE_SHIFT
        if record.state == SpanState.FREE and _bytes(memory, int(record.address), length).any():
            yield f"free span {span} is not all zeros"
    for thread in range(int(heap.counters[0].threads)):
        for size_class in _filled(heap, thread):
            length = int(heap.size_class[size_class].object_size) - WORD
            for address in _chain(heap, memory, thread, size_class):
                if _bytes(memory, address + WORD, length).any():
                    yield f"free object {address:#x} is not all zeros"


def _filled(heap: HeapState, thread: int) -> list[int]:
    """The classes of which a thread has free objects."""
    return [int(size_class) for size_class in np.flatnonzero(heap.object_list[thread].head)]


def _chain(heap: HeapState, memory: Reservation, thread: int, size_class: int) -> Iterator[int]:
    """The addresses on one list, as far as its links stay inside the heap; bounded by its bytes."""
    address = int(heap.object_list[thread, size_class].head)
    for _ in range(int(heap.system[0].heap) // WORD):
        if not memory.address <= address < heap.system[0].next:
            break
        yield address
        address = int(_bytes(memory, address, WORD).view(np.int64)[0])


def _not_an_object(heap: HeapState, address: int, size_class: int) -> str:
    """Why `address` is not the start of an object of `size_class`; empty if it is."""
    span = heap.span[_mapped(heap, address >> PAGE_SHIFT)]
    if span.state != SpanState.IN_USE or span.size_class != size_class:
        return f"lies in a span of class {span.size_class} in state {span.state}"
    index, inside = divmod(address - int(span.address), int(span.object_size))
    if inside or index >= span.objects:
        return f"is not the start of an object of {span.object_size} bytes"
    return ""


def _bytes(memory: Reservation, address: int, length: int) -> np.ndarray:
    """The bytes of the heap from `address` on."""
    return np.frombuffer(memory.view(address, length), np.uint8)
