"""Invariants of central free lists, transfer cache and thread caches, checked in plain Python.

Nothing here is compiled or calls a kernel (a compiled function of the allocator), so a mistake in a
kernel is not repeated here. A check reads the records and changes nothing.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

from allocsim.core.memory import Reservation
from allocsim.core.raw import WORD
from allocsim.designs.tcmalloc.check_page_heap import (
    SpanCopy,
    free_neighbours_are_coalesced,
    free_spans_are_listed_once,
    listed,
    mapped,
    metadata_covers_the_records,
    null_span_is_untouched,
    page_counts_agree,
    spans_are_mapped,
    spans_of,
    spans_tile_the_heap,
)
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc
from allocsim.designs.tcmalloc.span import EMPTY_HEAD, NONEMPTY_HEAD


def objects_are_free_once(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """Each free object is on exactly one list, which belongs to the object's class.

    Each list counts its objects correctly.
    """
    spans, visited, outside = spans_of(heap), set[int](), Counter[int]()
    for name, size_class, count, chain in _chains(heap, memory, spans):
        length = 0
        for address in chain:
            length += 1
            number, problem = _object_problem(heap, spans, address, size_class)
            if problem or address in visited:
                yield f"{name}: {address:#x} {problem or 'is free twice'}"
                break
            visited.add(address)
            outside[number] += not name.startswith("span")
        if length != count:
            yield f"{name} holds {length} objects, but counts {count}"
    for span in spans.values():
        if outside[span.number] > span.refcount:
            yield (
                f"span {span.number} has refcount {span.refcount}, but {outside[span.number]} of "
                f"its objects are on free lists outside the span"
            )


def _chains(
    heap: Tcmalloc, memory: Reservation, spans: dict[int, SpanCopy]
) -> Iterator[tuple[str, int, int, Iterator[int]]]:
    """Yield (name, class, counted length, objects) for every chain of free objects."""
    for span in spans.values():
        # A class that does not exist is reported by the check of the page map.
        if 0 < span.size_class < len(heap.size_class) and span.state == SpanState.IN_USE:
            left = int(heap.size_class[span.size_class].objects) - span.refcount
            chain = _chain(heap, memory, span.objects)
            yield f"span {span.number}", span.size_class, left, chain
    for number, info in enumerate(heap.size_class):
        for slot in range(int(info.used_slots)):
            chain = _chain(heap, memory, int(heap.tc_slots[number, slot]))
            yield f"slot {slot} of class {number}", number, int(info.batch), chain
    for thread in _caches(heap):
        for number, objects in enumerate(heap.free_list[thread]):
            if objects.head or objects.length:
                chain = _chain(heap, memory, int(objects.head))
                yield f"list {number} of cache {thread}", number, int(objects.length), chain


def _chain(heap: Tcmalloc, memory: Reservation, address: int) -> Iterator[int]:
    """Yield the addresses of a chain, up to and including the first invalid or repeated one."""
    end, walked = int(heap.system[0].next), set[int]()
    while memory.address <= address <= end - WORD and address not in walked:
        yield address
        walked.add(address)
        address = int.from_bytes(memory.view(address, WORD), sys.byteorder, signed=True)
    if address:
        yield address


def _object_problem(
    heap: Tcmalloc, spans: dict[int, SpanCopy], address: int, size_class: int
) -> tuple[int, str]:
    """Return (span, problem) for an address.

    `problem` says why no object of the class starts there; it is "" if one does.
    """
    number, _ = mapped(heap, address)
    span = spans.get(number)
    if span is None or span.size_class != size_class:
        return number, f"is in no span of class {size_class}"
    info = heap.size_class[size_class]
    index, inside = divmod(address - span.address, int(info.object_size))
    return number, "is not the start of an object" if inside or index >= info.objects else ""


def classes_count_their_spans(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """Each class counts its spans and their free objects correctly.

    A class has a list of the spans that have free objects, and a list of those that have none. Each
    span is on the list to which it belongs.
    """
    spans = spans_of(heap)
    for number, info in enumerate(heap.size_class):
        class_spans = [s for s in spans.values() if s.size_class == number and number]
        free = sum(int(info.objects) - span.refcount for span in class_spans)
        if (info.num_spans, info.free_objects) != (len(class_spans), free):
            yield (
                f"class {number} counts {info.num_spans} spans with {info.free_objects} free "
                f"objects, but has {len(class_spans)} spans with {free} free objects"
            )
        for head, nonempty in ((NONEMPTY_HEAD, True), (EMPTY_HEAD, False)):
            expected = {span.number for span in class_spans if (span.objects != 0) is nonempty}
            if number and set(listed(heap, head + number)) != expected:
                yield (
                    f"class {number} lists wrong spans as spans "
                    f"{'with' if nonempty else 'without'} free objects"
                )
        if not 0 <= info.used_slots <= info.cache_size <= info.max_cache_size:
            yield (
                f"class {number} uses {info.used_slots} of {info.cache_size} slots; its maximum is "
                f"{info.max_cache_size}"
            )


def caches_share_the_limit(heap: Tcmalloc, memory: Reservation) -> Iterator[str]:
    """Each cache counts the bytes on its lists correctly, and the caches share the total limit.

    The sum of all caches' limits (`max_size`), plus the unclaimed bytes, is the total limit.
    """
    threads, static = _caches(heap), heap.static[0]
    if len(threads) != static.thread_heap_count or heap.cache.alive.sum() != len(threads):
        yield f"{static.thread_heap_count} caches counted, {len(threads)} listed"
    after = heap.cache[threads[-1]].next if threads else static.thread_heaps
    if after:
        yield f"the list of caches has a broken link, to {after}"
    for thread in threads:
        yield from _cache_problems(heap, thread)
    limits = sum(int(heap.cache[thread].max_size) for thread in threads)
    if limits + static.unclaimed_cache_space != static.overall_thread_cache_size:
        yield (
            f"the caches' limits ({limits} bytes in total) and the {static.unclaimed_cache_space} "
            f"unclaimed bytes do not sum to {static.overall_thread_cache_size} bytes"
        )


def _cache_problems(heap: Tcmalloc, thread: int) -> Iterator[str]:
    """Yield the violations in the counts of a cache."""
    cache, lists = heap.cache[thread], heap.free_list[thread]
    listed_bytes = int((lists.length * lists.object_size.astype(int)).sum())
    if cache.size_ != listed_bytes:
        yield f"cache {thread} counts {cache.size_} bytes, but its lists hold {listed_bytes}"
    if (lists.low_water_mark > lists.length).any() or lists.low_water_mark.min() < 0:
        yield f"cache {thread} has a list shorter than its low-water mark"


def _caches(heap: Tcmalloc) -> list[int]:
    """Return the live caches, newest first, up to the first broken link."""
    threads, before, number = list[int](), 0, int(heap.static[0].thread_heaps)
    while 0 < number <= len(heap.cache) and heap.cache[number - 1].previous == before:
        threads.append(number - 1)
        before, number = number, int(heap.cache[number - 1].next)
    return threads


INVARIANTS = (
    spans_tile_the_heap,
    spans_are_mapped,
    null_span_is_untouched,
    free_neighbours_are_coalesced,
    free_spans_are_listed_once,
    page_counts_agree,
    metadata_covers_the_records,
    objects_are_free_once,
    classes_count_their_spans,
    caches_share_the_limit,
)
"""All invariants of the heap, first those about the page heap."""
