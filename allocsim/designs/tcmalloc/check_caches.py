"""Every invariant of the tiers above a joining page heap: central lists, slots, caches.

Above `check_runs`, which proves the runs that all of it is cut from; named by the designs. Plain
Python over the records, apart from the stages, so it does not share their mistakes. Its one rule:
it reads the records and changes nothing.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

from allocsim.core.memory import Reservation
from allocsim.core.raw import WORD
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.check_page_heap import (
    Span,
    bounds_lead_to_their_span,
    free_spans_are_listed_once,
    listed,
    mapped,
    neighbours_in_one_state_are_joined,
    null_span_is_untouched,
    page_counts_agree,
    runs_tile_the_heap,
    spans_of,
)
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.span import FULL_HEAD, PARTIAL_HEAD


def objects_are_free_once(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """Every free object is one of its class, in one tier only, and counted there."""
    spans, seen, away = spans_of(heap), set[int](), Counter[int]()
    for where, size_class, count, chain in _chains(heap, memory, spans):
        length = 0
        for address in chain:
            length += 1
            number, problem = _object_problem(heap, spans, address, size_class)
            if problem or address in seen:
                yield f"{where}: {address:#x} {problem or 'is free twice'}"
                break
            seen.add(address)
            away[number] += not where.startswith("span")
        if length != count:
            yield f"{where} holds {length} objects, {count} counted"
    for span in spans.values():
        if away[span.number] > span.handed_out:
            yield f"span {span.number} has handed out {span.handed_out}, {away[span.number]} wait"


def _chains(
    heap: HeapState, memory: Reservation, spans: dict[int, Span]
) -> Iterator[tuple[str, int, int, Iterator[int]]]:
    """Every chain of free objects: where it is, its class, its length as counted, its objects."""
    for span in spans.values():
        # Of a class that there is not, the page map tells.
        if 0 < span.size_class < len(heap.size_class) and span.state == SpanState.IN_USE:
            kind = heap.size_class[span.size_class]
            left = int(kind.objects) - span.handed_out
            chain = _chain(heap, memory, span.objects)
            yield f"span {span.number}", span.size_class, left, chain
    for number, kind in enumerate(heap.size_class):
        for slot in range(int(kind.used)):
            chain = _chain(heap, memory, int(heap.slot[number, slot]))
            yield f"slot {slot} of class {number}", number, int(kind.batch), chain
    for thread in _caches(heap):
        for number, objects in enumerate(heap.object_list[thread]):
            if objects.head or objects.length:
                chain = _chain(heap, memory, int(objects.head))
                yield f"list {number} of cache {thread}", number, int(objects.length), chain


def _chain(heap: HeapState, memory: Reservation, address: int) -> Iterator[int]:
    """The addresses of a chain, as far as it stays inside the heap; a circle once."""
    end, walked = int(heap.system[0].next), set[int]()
    while memory.address <= address <= end - WORD and address not in walked:
        yield address
        walked.add(address)
        address = int.from_bytes(memory.view(address, WORD), sys.byteorder, signed=True)
    if address:
        yield address


def _object_problem(
    heap: HeapState, spans: dict[int, Span], address: int, size_class: int
) -> tuple[int, str]:
    """The span of an address, and why no object of `size_class` begins there; empty: one does."""
    number, _ = mapped(heap, address)
    span = spans.get(number)
    if span is None or span.size_class != size_class:
        return number, f"lies in no span of class {size_class}"
    kind = heap.size_class[size_class]
    index, inside = divmod(address - span.address, int(kind.object_size))
    return number, "is not the start of an object" if inside or index >= kind.objects else ""


def classes_count_their_spans(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """A class counts its spans and their free objects, and lists each by whether it has some."""
    spans = spans_of(heap)
    for number, kind in enumerate(heap.size_class):
        mine = [s for s in spans.values() if s.size_class == number and number]
        free = sum(int(kind.objects) - span.handed_out for span in mine)
        if (kind.spans, kind.free) != (len(mine), free):
            yield f"class {number} counts {kind}, found {len(mine)} spans with {free} objects free"
        for head, wanted in ((PARTIAL_HEAD, True), (FULL_HEAD, False)):
            expected = {span.number for span in mine if (span.objects != 0) is wanted}
            if number and set(listed(heap, head + number)) != expected:
                yield f"class {number} lists wrong spans under head {head}"
        if not 0 <= kind.used <= kind.slots <= kind.most_slots:
            yield f"class {number} uses {kind.used} slots of {kind.slots}"


def caches_keep_their_budget(heap: HeapState, memory: Reservation) -> Iterator[str]:
    """A cache counts its bytes; all that caches may hold and what is unclaimed is constant."""
    threads, budget = _caches(heap), heap.budget[0]
    if len(threads) != budget.caches or heap.cache.alive.sum() != budget.caches:
        yield f"{budget.caches} caches counted, {len(threads)} listed"
    behind = heap.cache[threads[-1]].next if threads else budget.first
    if behind:
        yield f"the list of caches leads astray, to {behind}"
    for thread in threads:
        cache, lists = heap.cache[thread], heap.object_list[thread]
        held = int((lists.length * lists.object_size.astype(int)).sum())
        if cache.held != held:
            yield f"cache {thread} counts {cache.held} bytes, its lists hold {held}"
        if (lists.low_water > lists.length).any() or lists.low_water.min() < 0:
            yield f"cache {thread} has a list that is shorter than its low water"
    most = sum(int(heap.cache[thread].most) for thread in threads)
    if most + budget.unclaimed != budget.total:
        yield f"caches may hold {most}, {budget.unclaimed} are unclaimed, of {budget.total} bytes"


def _caches(heap: HeapState) -> list[int]:
    """The caches alive, newest first, as far as their links lead there and back."""
    found, before, place = list[int](), 0, int(heap.budget[0].first)
    while 0 < place <= len(heap.cache) and heap.cache[place - 1].previous == before:
        found.append(place - 1)
        before, place = place, int(heap.cache[place - 1].next)
    return found


INVARIANTS = (
    runs_tile_the_heap,
    bounds_lead_to_their_span,
    null_span_is_untouched,
    neighbours_in_one_state_are_joined,
    free_spans_are_listed_once,
    page_counts_agree,
    objects_are_free_once,
    classes_count_their_spans,
    caches_keep_their_budget,
)
"""All of them."""
