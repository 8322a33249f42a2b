"""Invariants of classes, slots and dead objects, checked in plain Python.

A slot has room for one object. It is live if it holds an object that is not dead, and taken if it
was in use when its span was last swept (see `spans`). An object is dead if the program has freed it
and no collection has swept it yet.

Nothing here is compiled or calls a kernel (a compiled function of the allocator), so a mistake in a
kernel is not repeated here. A check reads the records and changes nothing.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

from allocsim.core.memory import Reservation
from allocsim.designs.go.check_pages import (
    PAGE,
    SpanCopy,
    chunks_are_what_was_obtained,
    no_page_below_the_search_address_is_free,
    pages_in_use_belong_to_one_span,
    records_are_counted,
    released_pages_are_free,
    scavenger_counts_the_pages_of_chunks,
    spans_are_mapped,
    spans_of,
    summaries_describe_the_bitmap,
)
from allocsim.designs.go.records import FULL, PARTIAL, Go

ALL = (1 << 64) - 1
"""Mask that makes an int64 word an unsigned number."""

TINY_CLASS = 2
WHOLE = 1 << 16
"""Constants of `size_classes` and `objects`, repeated here so that a wrong one is detected."""


def slots_of(heap: Go, span: SpanCopy, first: int) -> int:
    """Return an int with bit i set if slot i is live (`first` = 0) or taken (`first` = 1)."""
    words = heap.gc_bits[span.number * 16 + first :][: 16 if span.size_class else 1 : 2].tolist()
    return sum((word & ALL) << 64 * index for index, word in enumerate(words))


def small_spans(heap: Go) -> Iterator[SpanCopy]:
    """Yield the spans of small objects."""
    for span in spans_of(heap):
        if 0 < span.size_class < len(heap.mcentral):
            yield span


def chain(heap: Go, size_class: int, column: int) -> tuple[list[int], str]:
    """Return (spans, problem): a set's spans up to the first broken link, and what is broken."""
    queue, members, before = heap.span_set[size_class, column], list[int](), 0
    number = int(queue.head)
    while number:
        if not 0 < number < len(heap.mspan) or heap.span_use[number].prev != before:
            return members, f"a broken link to span {number}"
        members.append(number)
        before, number = number, int(heap.span_use[number].next)
    return members, "" if queue.tail == before else f"a tail of {queue.tail}, not {before}"


def each_span_is_in_one_set(heap: Go, memory: Reservation) -> Iterator[str]:
    """A span is cached or in the set that it belongs to, and every span in a set is in use."""
    column_of, counted = dict[int, int](), Counter[int]()
    for size_class, central in enumerate(heap.mcentral):
        for column in (PARTIAL, FULL):
            members, problem = chain(heap, size_class, column)
            if problem:
                yield f"set {column} of class {size_class} has {problem}"
            for number in members:
                counted[number] += 1
                column_of[number] = column
        counted[int(central.alloc)] += central.alloc != 0
        if central.unswept:
            yield f"the sweep of class {size_class} has not ended: span {central.unswept} is next"
    for span in spans_of(heap):
        expected = 0 if span.size_class <= 0 or _is_full_directly(heap, span) else 1
        if (found := counted.pop(span.number, 0)) != expected:
            yield f"span {span.number} is {found} times in caches and sets, expected {expected}"
        yield from _misplaced(heap, span, column_of.get(span.number))
    if any(counted.values()):
        yield f"span {next(iter(counted))} is in a set, but not in use"


def _misplaced(heap: Go, span: SpanCopy, column: int | None) -> Iterator[str]:
    """Yield why a span does not belong in its set; `column` is None for a span in no set."""
    if span.size_class >= len(heap.mcentral):
        yield f"span {span.number} has class {span.size_class}"
        return
    central = heap.mcentral[max(span.size_class, 0)]
    nelems = int(central.nelems) if span.size_class > 0 else 1
    if column is not None and (span.alloc_count == nelems) != (column == FULL):
        yield (
            f"span {span.number} with {span.alloc_count} of {nelems} slots allocated is in set "
            f"{column} ({PARTIAL}: some slots are free, {FULL}: none is free)"
        )
    lost = column is None and span.size_class > 0 and central.alloc != span.number
    if lost and not _is_full_directly(heap, span):
        yield f"span {span.number} is in no set and not cached"


def _is_full_directly(heap: Go, span: SpanCopy) -> bool:
    """Return whether a span is full, not cached, and in no set because the mode is `direct`."""
    if not heap.mheap[0].direct or not 0 < span.size_class < len(heap.mcentral):
        return False
    central = heap.mcentral[span.size_class]
    return bool(span.alloc_count == central.nelems and central.alloc != span.number)


def free_bytes_are_counted(heap: Go, memory: Reservation) -> Iterator[str]:
    """The heap counts the bytes of span ends, of partial spans and of cached spans correctly.

    A span has the length of its class.
    """
    tails = partial = cached = 0
    for span in small_spans(heap):
        central = heap.mcentral[span.size_class]
        if span.npages != central.npages:
            yield f"class {span.size_class} has a span whose npages is not {central.npages}"
        free = (int(central.nelems) - _allocated(heap, span)) * int(central.elemsize)
        tails += span.npages * PAGE - int(central.nelems * central.elemsize)
        if central.alloc == span.number:
            cached += free
        else:
            partial += free
    cached += sum(int(each.num_reusable) * int(each.elemsize) for each in heap.mcentral[1:])
    mheap = heap.mheap[0]
    for name, found in ("tails", tails), ("partial", partial), ("cached", cached):
        if mheap[name] != found:
            yield f"{mheap[name]} bytes are counted as `{name}`, {found} found"


def live_slots_are_taken(heap: Go, memory: Reservation) -> Iterator[str]:
    """A live slot has an index below the span's number of slots, and is counted as allocated."""
    direct = heap.mheap[0].direct
    for span in small_spans(heap):
        central = heap.mcentral[span.size_class]
        live, taken = slots_of(heap, span, 0), slots_of(heap, span, 1)
        if live >> int(central.nelems):
            yield f"span {span.number} has a live slot beyond slot {central.nelems - 1}"
        if central.alloc == span.number:
            continue
        if direct and live.bit_count() != span.alloc_count:
            yield (
                f"the number of live slots of span {span.number} is {live.bit_count()}, but its "
                f"alloc_count is {span.alloc_count}"
            )
        is_partial = span.alloc_count < central.nelems
        if not direct and is_partial and (live & ~taken or taken.bit_count() != span.alloc_count):
            yield (
                f"span {span.number} has slots {taken:#x} taken and {live:#x} live, but its "
                f"alloc_count is {span.alloc_count}"
            )


def cached_slots_are_free(heap: Go, memory: Reservation) -> Iterator[str]:
    """`alloc_cache` has only free slots of the cached span, all after the last one allocated."""
    spans = {span.number: span for span in small_spans(heap)}
    for number, central in enumerate(heap.mcentral[1:], start=1):
        offered, word = int(central.alloc_cache) & ALL, int(central.alloc_word)
        span = spans.get(int(central.alloc))
        if span is None or word < 0:
            if offered or (central.alloc and span is None):
                yield f"class {number} offers slots {offered:#x} of span {central.alloc}"
            continue
        taken = slots_of(heap, span, int(heap.mheap[0].taken)) | slots_of(heap, span, 0)
        passed = (1 << min(max(int(central.alloc_bit), -1), 63) + 1) - 1
        if offered & (taken >> 64 * word) or (offered << 64 * word) >> int(central.nelems):
            yield f"class {number} offers slots {offered:#x} that are not free"
        if offered & passed:
            yield f"class {number} offers slots {offered:#x} that it has passed"
        base = span.start_addr + 64 * word * int(central.elemsize)
        row = span.number * 16 + 2 * word
        if offered and (central.alloc_base, central.alloc_row) != (base, row):
            yield f"class {number} takes slots from {central.alloc_base:#x}, expected {base:#x}"


def dead_objects_are_counted(heap: Go, memory: Reservation) -> Iterator[str]:
    """The pacer counts the dead objects and their bytes, except those on a reusable list."""
    dead, size = 0, 0
    for span in spans_of(heap):
        if not 0 <= span.size_class < len(heap.mcentral):
            continue
        central = heap.mcentral[span.size_class]
        live = (
            slots_of(heap, span, 0).bit_count()
            if span.size_class
            else int(heap.gc_bits[span.number * 16])
        )
        count = _allocated(heap, span) - live
        dead += count
        size += count * (int(central.elemsize) if span.size_class else span.npages * PAGE)
    for central in heap.mcentral[1:]:
        dead -= int(central.num_reusable)
        size -= int(central.num_reusable) * int(central.elemsize)
    controller = heap.gc_controller[0]
    if (controller.dead_objects, controller.dead_bytes) != (dead, size):
        yield (
            f"dead objects counted: {controller.dead_objects}, found: {dead}; "
            f"their bytes counted: {controller.dead_bytes}, found: {size}"
        )


def _allocated(heap: Go, span: SpanCopy) -> int:
    """Return the number of allocated slots of a span; `alloc_count` is wrong for a cached span."""
    central = heap.mcentral[span.size_class]
    if span.size_class == 0 or central.alloc != span.number:
        return span.alloc_count
    if heap.mheap[0].direct:
        return slots_of(heap, span, 0).bit_count()
    word, nelems = max(int(central.alloc_word), -1), int(central.nelems)
    ahead = ~slots_of(heap, span, 1) & ((1 << nelems) - 1)
    if word < 0:
        return nelems - ahead.bit_count()
    beyond = ahead >> 64 * (word + 1)
    return nelems - beyond.bit_count() - (int(central.alloc_cache) & ALL).bit_count()


def allocated_bytes_are_counted(heap: Go, memory: Reservation) -> Iterator[str]:
    """The pacer counts all allocated slots, except those allocated since their span was cached."""
    if heap.mheap[0].direct:
        return
    total = sum(span.npages * PAGE for span in spans_of(heap) if span.size_class == 0)
    for span in small_spans(heap):
        total += span.alloc_count * int(heap.mcentral[span.size_class].elemsize)
    if heap.gc_controller[0].allocated != total:
        yield f"{heap.gc_controller[0].allocated} bytes are counted as allocated, {total} found"


def tiny_parts_are_live(heap: Go, memory: Reservation) -> Iterator[str]:
    """A 16-byte slot is live if and only if an object, or a part of a tiny block, starts in it."""
    for span in small_spans(heap):
        if span.size_class != TINY_CLASS:
            continue
        first = (span.start_addr - memory.address) // 16
        live, nelems = slots_of(heap, span, 0), int(heap.mcentral[TINY_CLASS].nelems)
        for slot, parts in enumerate(heap.tiny_parts[first : first + nelems].tolist()):
            if (parts != 0) != (live >> slot & 1) or parts > WHOLE:
                state = "live" if live >> slot & 1 else "not live"
                yield (
                    f"slot {slot} of span {span.number} is {state}, but has parts {parts:#x} "
                    f"(expected 0x1 to {WHOLE:#x} in a live slot, 0x0 in another)"
                )
    mheap = heap.mheap[0]
    inside = memory.address <= mheap.tiny < heap.system[0].next and mheap.tiny % 16 == 0
    if (mheap.tiny and not inside) or not (mheap.tiny != 0) <= mheap.tinyoffset <= 16 * inside:
        yield f"the tiny block at {mheap.tiny:#x} with {mheap.tinyoffset} bytes used is not valid"


def reusable_objects_are_dead(heap: Go, memory: Reservation) -> Iterator[str]:
    """The objects on a class's reusable list are dead and of the class; their count is right."""
    spans = list(small_spans(heap))
    for number, central in enumerate(heap.mcentral[1:], start=1):
        address, length, visited = int(central.reusable), 0, set[int]()
        while address and address not in visited:
            visited.add(address)
            if not _is_dead_slot(heap, spans, address, number):
                yield f"{address:#x} on the reusable list of class {number} is not a dead object"
                break
            length += 1
            address = int.from_bytes(memory.view(address, 8), sys.byteorder, signed=True)
        if length != central.num_reusable:
            yield f"num_reusable of class {number} is {central.num_reusable}, expected {length}"


def _is_dead_slot(heap: Go, spans: list[SpanCopy], address: int, size_class: int) -> bool:
    """Return whether a slot of a class starts at `address`, and is not live."""
    for span in spans:
        if span.start_addr <= address < span.end and span.size_class == size_class:
            slot, rest = divmod(address - span.start_addr, int(heap.mcentral[size_class].elemsize))
            return not rest and not slots_of(heap, span, 0) >> slot & 1
    return False


INVARIANTS = (
    chunks_are_what_was_obtained,
    pages_in_use_belong_to_one_span,
    released_pages_are_free,
    no_page_below_the_search_address_is_free,
    summaries_describe_the_bitmap,
    scavenger_counts_the_pages_of_chunks,
    spans_are_mapped,
    records_are_counted,
    each_span_is_in_one_set,
    free_bytes_are_counted,
    live_slots_are_taken,
    cached_slots_are_free,
    dead_objects_are_counted,
    allocated_bytes_are_counted,
    tiny_parts_are_live,
    reusable_objects_are_dead,
)
"""All invariants of the heap, first those about pages."""
