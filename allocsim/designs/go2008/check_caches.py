"""Invariants of thread caches and size classes of a go2008 heap.

Like the checks of `check_page_heap`, these are plain Python that reads the heap's records.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from allocsim.core.check import Invariant
from allocsim.core.memory import Reservation
from allocsim.core.raw import WORD
from allocsim.designs.go2008.check_page_heap import (
    SpanRow,
    any_byte_set,
    mapped_span,
    span_rows,
)
from allocsim.designs.go2008.pagemap import PAGE_SHIFT
from allocsim.designs.go2008.records import Go2008, SpanState


def free_objects_are_counted_once(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """Free objects are counted correctly, and none is listed twice.

    A list's length is the number of its objects, which all belong to the list's class. A class's
    `cached` is the number of objects on all of its lists.
    """
    spans, visited = span_rows(heap), set[int]()
    cached = [0] * len(heap.size_class)
    for thread in range(int(heap.static[0].threads)):
        for size_class in _filled(heap, thread):
            name = f"list {size_class} of thread {thread}"
            length = 0
            for address in _addresses(heap, memory, thread, size_class):
                length += 1
                if address in visited:
                    yield f"{name}: object {address:#x} is free twice"
                    break
                visited.add(address)
                problem = _problem(heap, spans, address, size_class)
                if problem:
                    yield f"{name}: {address:#x} {problem}"
                    break
            counted = heap.free_list[thread, size_class].length
            if length != counted:
                yield f"objects in {name}: {length}, but its length is {counted}"
            cached[size_class] += length
    for size_class, actual in enumerate(cached):
        counted = heap.size_class[size_class].cached
        if actual != counted:
            yield (
                f"the lists of class {size_class} have {actual} objects in all, but `cached` of "
                f"the class is {counted}"
            )


def class_counts_agree(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """In each class, objects in use plus cached objects equal the objects of its spans."""
    spans = heap.span[1 : int(heap.counters[0].spans) + 1]
    classes, objects = spans["size_class"], spans["objects"]
    for size_class, count in enumerate(heap.size_class):
        is_mine = classes == size_class
        total = int(objects[is_mine].sum())
        if count.spans != is_mine.sum() or count.in_use + count.cached != total:
            yield (
                f"class {size_class} counts spans: {count.spans}, objects in use: {count.in_use}, "
                f"cached objects: {count.cached}; found spans: {is_mine.sum()}, objects: {total}"
            )
        if count.in_use < 0:
            yield f"class {size_class} has {count.in_use} objects in use"


def free_objects_are_zero(heap: Go2008, memory: Reservation) -> Iterator[str]:
    """A free object is all zeros, except for its link (the first word)."""
    end = int(heap.system[0].next)
    present = memory.present(end - memory.address)
    for thread in range(int(heap.static[0].threads)):
        for size_class in _filled(heap, thread):
            length = int(heap.size_class[size_class].object_size) - WORD
            for address in _addresses(heap, memory, thread, size_class):
                inside = min(length, end - address - WORD)
                if any_byte_set(memory, present, address + WORD, inside):
                    yield f"free object {address:#x} is not all zeros"


def _filled(heap: Go2008, thread: int) -> list[int]:
    """Return the classes in which a thread has free objects."""
    lists = heap.free_list[thread]
    return np.flatnonzero((lists.head != 0) | (lists.fresh != lists.end)).tolist()


def _addresses(heap: Go2008, memory: Reservation, thread: int, size_class: int) -> Iterator[int]:
    """Yield the objects of a list. Stop at an address outside the heap, or at a repeated object."""
    objects = heap.free_list[thread, size_class]
    address = int(objects.head)
    end, walked = int(heap.system[0].next), set[int]()
    while memory.address <= address <= end - WORD:
        yield address
        if address in walked:
            break
        walked.add(address)
        address = int.from_bytes(memory.view(address, WORD), sys.byteorder, signed=True)
    if address:  # a link out of the heap, or a repetition: stop; the caller reports the list
        return
    # The fresh objects, which are not linked, come last.
    first, last = max(int(objects.fresh), memory.address), min(int(objects.end), end)
    yield from range(first, last, int(heap.size_class[size_class].object_size))


def _problem(heap: Go2008, spans: list[SpanRow], address: int, size_class: int) -> str:
    """Return why `address` is not the start of an object of `size_class`, or "" if it is."""
    number = mapped_span(heap, address >> PAGE_SHIFT)
    if not 1 <= number <= len(spans):
        return f"is on a page of span {number}, which does not exist"
    span = spans[number - 1]
    if span.state != SpanState.IN_USE or span.size_class != size_class:
        return (
            f"is in a span of class {span.size_class} in state {span.state}, expected class "
            f"{size_class} in state {SpanState.IN_USE} (IN_USE)"
        )
    index, remainder = divmod(address - span.address, span.object_size)
    if remainder or index >= span.objects:
        return f"is not the start of an object of {span.object_size} bytes"
    return ""


INVARIANTS: tuple[Invariant, ...] = (
    free_objects_are_counted_once,
    class_counts_agree,
    free_objects_are_zero,
)
