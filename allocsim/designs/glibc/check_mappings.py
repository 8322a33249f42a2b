"""Invariants of mappings and of the ranges at the end of the reservation, in plain Python.

`check_chunks` explains why the checks are not compiled.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from allocsim.core.memory import Reservation
from allocsim.designs.glibc.address_space import LISTS
from allocsim.designs.glibc.check_chunks import Sentences, Words
from allocsim.designs.glibc.chunks import IS_MMAPPED, PAGE
from allocsim.designs.glibc.records import Glibc, Kind


class Range(NamedTuple):
    """A range of pages at the end of the reservation."""

    number: int
    start: int
    length: int
    kind: int


def ranges_of(state: Glibc, memory: Reservation) -> list[Range]:
    """Return the ranges in order of address, up to the first with an invalid length."""
    ranges, address = list[Range](), int(state.system[0].limit)
    end = memory.address + memory.length // PAGE * PAGE
    while memory.address <= address < end:
        number = (address - memory.address) // PAGE + 1
        record = state.mapping[number]
        length = int(record.pages) * PAGE
        if not 0 < length <= end - address:
            break
        ranges.append(Range(number, address, length, int(record.kind)))
        address += length
    return ranges


def mappings_fill_the_end(heap: Glibc, memory: Reservation) -> Sentences:
    """Ranges fill the reservation from the heap's limit to the end; free ranges are not adjacent.

    The lowest range is in use. Each range is linked to the range below it.
    """
    ranges = ranges_of(heap, memory)
    reached = ranges[-1].start + ranges[-1].length if ranges else int(heap.system[0].limit)
    end = memory.address + memory.length // PAGE * PAGE
    if reached != end:
        yield f"the mappings end at {reached:#x}, expected {end:#x}"
    if ranges and ranges[0].kind == Kind.FREE:
        yield f"the lowest range, at {ranges[0].start:#x}, is free"
    for one, other in pairwise(ranges):
        if one.kind == other.kind == Kind.FREE:
            yield f"the free ranges at {one.start:#x} and {other.start:#x} are adjacent"
        if heap.mapping[other.number].below != one.number:
            yield f"the range at {other.start:#x} does not follow the one at {one.start:#x}"


def mappings_are_what_they_count(heap: Glibc, memory: Reservation) -> Sentences:
    """A chunk's mapping contains the chunk; mappings and stack segments are counted correctly."""
    words, mp = Words(memory), heap.mp_[0]
    chunks = [each for each in ranges_of(heap, memory) if each.kind == Kind.CHUNK]
    stacks = [each.length for each in ranges_of(heap, memory) if each.kind == Kind.STACK]
    for each in chunks:
        if not _has_head(each, words):
            yield f"the mapping at {each.start:#x} of {each.length} bytes has no chunk"
    actual = (len(chunks), sum(each.length for each in chunks), sum(stacks))
    counted = (int(mp.n_mmaps), int(mp.mmapped_mem), int(mp.stack_bytes))
    if actual != counted:
        yield (
            f"counted (mapped chunks, bytes of their mappings, bytes of stacks) {counted}, "
            f"expected {actual}"
        )


def _has_head(mapping: Range, words: Words) -> bool:
    """Return whether the mapping contains a chunk that reaches to the mapping's end.

    The chunk's object must be 0 or 2**n bytes after the start of a page.
    """
    offsets = (16, 0, *(1 << exponent for exponent in range(5, PAGE.bit_length() - 1)))
    pages = range(mapping.start, mapping.start + mapping.length, PAGE)
    places = (page + offset - 16 for page in pages for offset in offsets)
    return any(
        p >= mapping.start
        and words[p] == p - mapping.start
        and words[p + 8] == mapping.length - words[p] | IS_MMAPPED
        for p in places
    )


def heap_is_what_was_mapped(heap: Glibc, memory: Reservation) -> Sentences:
    """The heap's bytes are the sum of the arenas, the mapped chunks and the stacks."""
    mp = heap.mp_[0]
    arenas = int(heap.arena.system_mem[: mp.narenas].sum())
    parts = arenas + int(mp.mmapped_mem) + int(mp.stack_bytes)
    if heap.system[0].heap != parts:
        yield f"the heap has {heap.system[0].heap} bytes, arenas and mappings have {parts}"
    main = int(heap.system[0].next) - memory.address
    if heap.arena[0].system_mem != main:
        yield f"the main arena has {heap.arena[0].system_mem} bytes, the break is at {main}"


def free_ranges_are_listed(heap: Glibc, memory: Reservation) -> Sentences:
    """A free range is on the list for its length, exactly once; nothing else is on a list."""
    listed = Counter[int]()
    for head in range(len(heap.mapping) - LISTS, len(heap.mapping)):
        before, number = head, int(heap.mapping[head].next)
        while 0 < number < len(heap.mapping) and heap.mapping[number].previous == before:
            if listed[number]:
                break
            listed[number] += 1
            exponent = int(heap.mapping[number].pages).bit_length() - 1
            if exponent != head - (len(heap.mapping) - LISTS):
                yield f"range {number} is on the list of another length"
            before, number = number, int(heap.mapping[number].next)
        if number:
            yield f"a list of free ranges has a broken link, to {number}"
    free = {each.number for each in ranges_of(heap, memory) if each.kind == Kind.FREE}
    if listed.keys() != free:
        yield f"free ranges {sorted(free)}, listed {sorted(listed)}"
