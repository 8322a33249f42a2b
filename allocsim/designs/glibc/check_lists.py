"""Invariants of glibc's thread caches, fastbins and bins, checked in plain Python.

`check_chunks` explains why the checks are not compiled. A freed chunk is on at most one list, which
belongs to a thread cache, a fastbin or a bin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from allocsim.core.memory import Reservation
from allocsim.designs.glibc.bins import (
    BINMAP,
    BINS,
    FASTBINS,
    MIN_LARGE_SIZE,
    NBINS,
    NFASTBINS,
    UNSORTED,
)
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
"""Rows (shift, base, limit) that map the size of a large chunk to its bin. For the first row in
which `size >> shift` is at most `limit`, the bin is `base + (size >> shift)`. Larger sizes are in
bin 126."""


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
    """Return the number of the bin for chunks of a size, computed from LARGE_ROWS."""
    if size < MIN_LARGE_SIZE:
        return size // 16
    fitting = (
        base + (size >> shift) for shift, base, limit in LARGE_ROWS if size >> shift <= limit
    )
    return next(fitting, 126)


def listed_in_bin(heap: Glibc, words: Words, av: int, index: int) -> list[int]:
    """Return the chunks of a bin from front to back.

    If a chunk's `bk` is not the chunk before it, the result ends there with BROKEN_LINK.
    """
    head = int(heap.arena[av].bins) + (index - 1) * 16
    word, last = BINS + 2 * index, int(heap.lists[av, BINS + 2 * index + 1])
    members, before, p = list[int](), head, int(heap.lists[av, word])
    visited = set[int]()
    while p != head:
        if words[p + 24] != before or p in visited:
            return [*members, BROKEN_LINK]
        members.append(p)
        visited.add(p)
        before, p = p, words[p + 16]
    return members if last == before else [*members, BROKEN_LINK]


def chain(words: Words, first: int, offset: int) -> Iterator[int]:
    """Yield the chunks linked by the word at `offset` in each chunk, from `first` on.

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
    """A bin holds only chunks of its own arena and of its range of sizes; large bins are sorted.

    The bit of a bin with chunks is set in the binmap. The unsorted list has no range and no bit.
    """
    words, owned = Words(memory), owned_chunks(heap, memory)
    for av in range(int(heap.mp_[0].narenas)):
        for index in range(UNSORTED, NBINS - 1):
            members = listed_in_bin(heap, words, av, index)
            sizes = [owned[p].chunk.size if p in owned else 0 for p in members]
            for p, size in zip(members, sizes, strict=True):
                if p not in owned or owned[p].arena != av:
                    yield f"bin {index} of arena {av} leads to {p:#x}, not to a chunk of the arena"
                elif index != UNSORTED and bin_of(size) != index:
                    yield (
                        f"the chunk at {p:#x} of {size} bytes is in bin {index}, expected bin "
                        f"{bin_of(size)}"
                    )
            if index >= bin_of(MIN_LARGE_SIZE) and sizes != sorted(sizes, reverse=True):
                yield f"bin {index} of arena {av} is out of order"
            bit = int(heap.lists[av, BINMAP + index // 64]) >> index % 64 & 1
            if index != UNSORTED and members and not bit:
                yield f"bin {index} of arena {av} has chunks, but its bit in the binmap is 0"


def sizes_are_linked(heap: Glibc, memory: Reservation) -> Sentences:
    """In a large bin, the first chunk of each size, and no other, is in the circular list of sizes.

    fd_nextsize leads to the first chunk of the next smaller size, bk_nextsize to the first chunk of
    the next larger size.
    """
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
                    yield f"the chunk at {p:#x} of bin {index} has wrong links by size"


def free_chunks_are_marked(heap: Glibc, memory: Reservation) -> Sentences:
    """A chunk is in a bin if and only if the next chunk's head lacks the flag PREV_INUSE.

    The next chunk then begins with the foot of the free chunk, a copy of the free chunk's size.
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
            places = ("free", "no bin") if free else ("in use", "a bin")
            yield "the chunk at {:#x} is marked as {}, but is in {}".format(p, *places)
        elif free and words[chunk.end] != chunk.size:
            yield f"the chunk at {p:#x} of {chunk.size} bytes has the foot {words[chunk.end]}"


def small_lists_hold_their_sizes(heap: Glibc, memory: Reservation) -> Sentences:
    """The chunks of a fastbin, or of a cache's list, have one size and are marked as in use.

    None of these chunks is on another list. A cache's counts are the lengths of its lists.
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
    """Yield (name, chunk size, count, chunks) of each list; the count is None for a fastbin."""
    mp = heap.mp_[0]
    for av in range(int(mp.narenas)):
        for index in range(NFASTBINS):
            first = int(heap.lists[av, FASTBINS + index])
            members = chain(words, first, 16)
            yield f"fastbin {index} of arena {av}", MINSIZE + 16 * index, None, members
    for thread in range(int(mp.threads)):
        bins = int(mp.tcache_bins) if heap.thread[thread].tcache else 0
        for index in range(TCACHE_MAX_BINS):
            entry = heap.tcache[thread * TCACHE_MAX_BINS + index]
            count = int(mp.tcache_count - entry.room) if index < bins else -int(entry.room)
            objects = chain(words, int(entry.head), 0)
            members = (p - CHUNK_HDR_SZ if p else p for p in objects)
            yield f"cache {thread}, list {index}", MINSIZE + 16 * index, count, members
