"""Invariants of caches, fastbins and bins, checked in plain Python.

See `check_chunks`. A free chunk is on one list only: of a cache, of a fastbin or of a bin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from allocsim.core.memory import Reservation
from allocsim.designs.glibc.bins import BINMAP, BINS, MIN_LARGE_SIZE, NBINS, NFASTBINS, UNSORTED
from allocsim.designs.glibc.check_chunks import (
    Chunk,
    Sentences,
    Words,
    chunks_of,
    regions_of,
)
from allocsim.designs.glibc.chunks import CHUNK_HDR_SZ, MINSIZE, PREV_INUSE
from allocsim.designs.glibc.records import Glibc
from allocsim.designs.glibc.tcache import TCACHE_MAX_BINS

BROKEN_LINK = 0
"""Stands for the rest of a list after a broken link. No chunk has this address."""

LARGE_ROWS = ((6, 48, 48), (9, 91, 20), (12, 110, 10), (15, 119, 4), (18, 124, 2))
"""Rows (e, first, last) of large bins: a size is in bin first + (size >> e), in the first row in
which size >> e is at most `last`."""


class Owned(NamedTuple):
    """A chunk and its arena."""

    arena: int
    chunk: Chunk


def owned_chunks(state: Glibc, memory: Reservation) -> dict[int, Owned]:
    """Return all chunks of all arenas by address."""
    words = Words(memory)
    return {
        chunk.address: Owned(region.arena, chunk)
        for region in regions_of(state, memory)
        for chunk in chunks_of(region, words)
    }


def bin_of(size: int) -> int:
    """Return the number of the bin for chunks of a size, from the table of the rows."""
    if size < MIN_LARGE_SIZE:
        return size // 16
    fitting = (first + (size >> e) for e, first, last in LARGE_ROWS if size >> e <= last)
    return next(fitting, 126)


def listed_in_bin(heap: Glibc, words: Words, av: int, index: int) -> list[int]:
    """Return the chunks of a bin from front to back.

    If `fd` and `bk` of a link disagree, the result ends there with BROKEN_LINK.
    """
    head = int(heap.arena[av].bins) + (index - 1) * 16
    place, last = BINS + 2 * index, int(heap.lists[av, BINS + 2 * index + 1])
    members, before, p = list[int](), head, int(heap.lists[av, place])
    visited = set[int]()
    while p != head:
        if words[p + 24] != before or p in visited:
            return [*members, BROKEN_LINK]
        members.append(p)
        visited.add(p)
        before, p = p, words[p + 16]
    return members if last == before else [*members, BROKEN_LINK]


def chain(words: Words, first: int, offset: int) -> Iterator[int]:
    """Yield the chunks linked by the word at `offset`, from `first` on.

    A link out of the heap, or to a chunk that was already yielded, ends the result with
    BROKEN_LINK.
    """
    visited = set[int]()
    while first:
        if first in visited or words[first + offset] == -1:
            yield BROKEN_LINK
            return
        visited.add(first)
        yield first
        first = words[first + offset]


def bins_are_linked_and_sorted(heap: Glibc, memory: Reservation) -> Sentences:
    """A bin holds free chunks of its arena and its sizes, and its bit in the map is set.

    Large bins are sorted by size.
    """
    words, owned = Words(memory), owned_chunks(heap, memory)
    for av in range(int(heap.mp_[0].narenas)):
        for index in range(UNSORTED, NBINS - 1):
            members = listed_in_bin(heap, words, av, index)
            sizes = [owned[p].chunk.size if p in owned else 0 for p in members]
            for p, size in zip(members, sizes, strict=True):
                if p not in owned or owned[p].arena != av:
                    yield f"bin {index} of arena {av} leads to {p:#x}"
                elif index != UNSORTED and bin_of(size) != index:
                    yield f"the chunk at {p:#x} of {size} bytes is in bin {index}"
            if index >= bin_of(MIN_LARGE_SIZE) and sizes != sorted(sizes, reverse=True):
                yield f"bin {index} of arena {av} is out of order"
            bit = int(heap.lists[av, BINMAP + index // 32]) >> index % 32 & 1
            if index != UNSORTED and members and not bit:
                yield f"bin {index} of arena {av} has chunks, but the map says that it has none"


def sizes_are_linked(heap: Glibc, memory: Reservation) -> Sentences:
    """The first chunks of each size of a large bin, and only they, are linked in a circle."""
    words, owned = Words(memory), owned_chunks(heap, memory)
    for av in range(int(heap.mp_[0].narenas)):
        for index in (UNSORTED, *range(bin_of(MIN_LARGE_SIZE), NBINS - 1)):
            members = [p for p in listed_in_bin(heap, words, av, index) if p in owned]
            large = [p for p in members if owned[p].chunk.size >= MIN_LARGE_SIZE]
            firsts = dict[int, int]()
            for p in large if index != UNSORTED else ():
                firsts.setdefault(owned[p].chunk.size, p)
            ring = list(firsts.values())
            smaller = dict(zip(ring, [*ring[1:], *ring[:1]], strict=True))
            larger = dict(zip(ring, [*ring[-1:], *ring[:-1]], strict=True))
            for p in large:
                links = (words[p + 32], words[p + 40] if p in smaller else 0)
                if links != (smaller.get(p, 0), larger.get(p, 0)):
                    yield f"the chunk at {p:#x} of bin {index} is not linked by its size"


def free_chunks_are_marked(heap: Glibc, memory: Reservation) -> Sentences:
    """A chunk is in a bin if and only if the next chunk's head says that it is free.

    Such a chunk has a foot.
    """
    words, owned = Words(memory), owned_chunks(heap, memory)
    binned = {
        p
        for av in range(int(heap.mp_[0].narenas))
        for index in range(UNSORTED, NBINS - 1)
        for p in listed_in_bin(heap, words, av, index)
    }
    for p, (_, chunk) in owned.items():
        free = not words[chunk.end + 8] & PREV_INUSE
        if free != (p in binned):
            yield f"the chunk at {p:#x} is {'free' if free else 'in use'}, but its lists disagree"
        elif free and words[chunk.end] != chunk.size:
            yield f"the chunk at {p:#x} of {chunk.size} bytes has the foot {words[chunk.end]}"


def small_lists_hold_their_sizes(heap: Glibc, memory: Reservation) -> Sentences:
    """A cache or fastbin holds chunks of its size, which are marked as in use and on no other list.

    A cache counts its chunks.
    """
    words, owned, lists_of = Words(memory), owned_chunks(heap, memory), Counter[int]()
    for name, size, count, members in _small_lists(heap, words):
        chunks = list(members)
        lists_of.update(chunks)
        for p in chunks:
            if p not in owned or owned[p].chunk.size != size:
                yield f"{name} leads to {p:#x}, expected chunks of {size} bytes"
            elif lists_of[p] > 1:
                yield f"{name}: the chunk at {p:#x} is free twice"
        if count is not None and count != len(chunks):
            yield f"{name} holds {len(chunks)} chunks, but counts {count}"


def _small_lists(heap: Glibc, words: Words) -> Iterator[tuple[str, int, int | None, Iterator[int]]]:
    """Yield each list of a cache or fastbin: its name, its size, its count if kept, its chunks."""
    mp = heap.mp_[0]
    for av in range(int(mp.narenas)):
        for index in range(NFASTBINS):
            first = int(heap.lists[av, index])
            members = chain(words, first, 16)
            yield f"fastbin {index} of arena {av}", MINSIZE + 16 * index, None, members
    for thread in range(int(mp.threads)):
        bins = int(mp.tcache_bins) if heap.thread[thread].tcache else 0
        for index in range(TCACHE_MAX_BINS):
            entry = heap.tcache[thread, index]
            count = int(mp.tcache_count - entry.room) if index < bins else -int(entry.room)
            objects = chain(words, int(entry.head), 0)
            members = (p - CHUNK_HDR_SZ if p else p for p in objects)
            yield f"cache {thread}, list {index}", MINSIZE + 16 * index, count, members
