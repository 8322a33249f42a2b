"""Invariants of chunks and of the memory that they fill, checked in plain Python.

Nothing here is compiled or calls a kernel (a compiled function of the allocator), so a mistake in a
kernel is not repeated here. A check reads the records and the heap's memory and changes neither.
Both may be corrupt, so every size and every link is validated before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from allocsim.core.memory import Reservation
from allocsim.designs.glibc.address_space import HEAP_MAX_SIZE
from allocsim.designs.glibc.chunks import (
    IS_MMAPPED,
    MINSIZE,
    NON_MAIN_ARENA,
    PREV_INUSE,
    SIZE_BITS,
)
from allocsim.designs.glibc.heaps import FIRST_CHUNK, HEAP_INFO
from allocsim.designs.glibc.records import Glibc

Sentences = Iterator[str]


class Words:
    """The memory of a heap as 64-bit words by address; -1 outside of it."""

    def __init__(self, memory: Reservation) -> None:
        self._start = memory.address
        self._words = memory.view(memory.address, memory.length // 8 * 8).cast("q")

    def __getitem__(self, address: int) -> int:
        index, rest = divmod(address - self._start, 8)
        return self._words[index] if 0 <= index < len(self._words) and not rest else -1


class Chunk(NamedTuple):
    """A chunk of an arena."""

    address: int
    size: int
    flags: int

    @property
    def end(self) -> int:
        """The address of the next chunk."""
        return self.address + self.size


class Region(NamedTuple):
    """Memory that chunks fill: the main arena, or a heap of another arena."""

    arena: int
    start: int
    end: int
    """Address of top, or of the fence posts."""
    limit: int
    """End of the memory in use."""


def slots_of(heap: Glibc, av: int) -> list[int]:
    """Return the 64 MiB slots that hold an arena's heaps, newest first, up to a broken link."""
    slots, top = list[int](), int(heap.arena[av].top)
    slot = top // HEAP_MAX_SIZE - int(heap.mp_[0].first_slot)
    while 0 <= slot < len(heap.heap_info) and slot not in slots:
        slots.append(slot)
        slot = int(heap.heap_info[slot].prev) - 1
    return slots


def regions_of(state: Glibc, memory: Reservation) -> list[Region]:
    """Return the regions of all arenas; the main arena has none before its first growth."""
    mp, words = state.mp_[0], Words(memory)
    top, regions = int(state.arena[0].top), list[Region]()
    if mp.sbrk_base:
        regions.append(Region(0, int(mp.sbrk_base), top, int(state.system[0].next)))
    for av in range(1, int(mp.narenas)):
        for slot in slots_of(state, av):
            info = state.heap_info[slot]
            start = (int(mp.first_slot) + slot) * HEAP_MAX_SIZE
            limit = start + int(info.size_)
            top = int(state.arena[av].top)
            end = top if start <= top < limit else limit - 16 - max(words[limit - 16], 0)
            regions.append(
                Region(av, start + (HEAP_INFO if info.prev else FIRST_CHUNK), end, limit)
            )
    return regions


def chunks_of(region: Region, words: Words) -> list[Chunk]:
    """Return the chunks of a region in order, up to the first with an invalid size."""
    chunks, address = list[Chunk](), region.start
    while address < region.end:
        head = words[address + 8]
        size = head & ~SIZE_BITS
        if not MINSIZE <= size <= region.end - address or size % 16:
            break
        chunks.append(Chunk(address, size, head & SIZE_BITS))
        address += size
    return chunks


def chunks_fill_their_memory(heap: Glibc, memory: Reservation) -> Sentences:
    """Chunks, and then top or fence posts, fill the memory of each region without a gap."""
    words = Words(memory)
    for region in regions_of(heap, memory):
        chunks = chunks_of(region, words)
        reached = chunks[-1].end if chunks else region.start
        if reached != region.end:
            yield (
                f"the chunk at {reached:#x} has an invalid size: its head is "
                f"{words[reached + 8]:#x}"
            )
        head = words[region.end + 8]
        if region.end == heap.arena[region.arena].top:
            if head != region.limit - region.end | PREV_INUSE or head < MINSIZE:
                yield f"top at {region.end:#x} has the head {head:#x} and does not reach the end"
        elif region.end + (head & ~SIZE_BITS) + 16 != region.limit or words[region.limit - 8] != 1:
            yield f"the heap that ends at {region.limit:#x} has no fence posts"


def free_chunks_are_apart(heap: Glibc, memory: Reservation) -> Sentences:
    """No two neighbouring chunks are both free.

    The first chunk has PREV_INUSE set, although no chunk precedes it.
    """
    words = Words(memory)
    for region in regions_of(heap, memory):
        chunks = chunks_of(region, words)
        if chunks and not chunks[0].flags & PREV_INUSE:
            yield f"the first chunk, at {chunks[0].address:#x}, is flagged as following a free one"
        for one, other in pairwise(chunks):
            if not one.flags & PREV_INUSE and not other.flags & PREV_INUSE:
                yield f"the chunk at {one.address:#x} and the one before it are both free"


def chunks_name_their_arena(heap: Glibc, memory: Reservation) -> Sentences:
    """A chunk in use has the flag NON_MAIN_ARENA if and only if its arena is not the main one."""
    words = Words(memory)
    for region in regions_of(heap, memory):
        flag = NON_MAIN_ARENA if region.arena else 0
        for chunk in chunks_of(region, words):
            used = words[chunk.end + 8] & PREV_INUSE
            if chunk.flags & IS_MMAPPED or (used and chunk.flags & NON_MAIN_ARENA != flag):
                yield f"the chunk at {chunk.address:#x} of arena {region.arena} has wrong flags"
