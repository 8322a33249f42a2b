"""Bins: the lists of an arena's free chunks (malloc.c, "Internal data structures").

Bin 1 is the unsorted list: freed chunks and remainders go to its front. malloc takes chunks from
its back, and moves each chunk that it does not use to the bin of the chunk's size. Bins 2 to 63 are
small: each has one size, and is filled at the front and emptied from the back. Bins 64 to 126 are
large: each has a range of sizes, sorted from large to small. The first chunk of each size is also
linked to the first chunks of the neighbouring sizes (fd_nextsize, bk_nextsize; 0 in all other
chunks). A later chunk of the same size is inserted right after the first one.

The head of a bin is a pair of words, fd and bk. It is treated as a chunk that starts 16 bytes
before the pair, so list code has no special case for heads. `unlink_chunk` recognises the second
chunk of a size by its fd_nextsize, which is 0. A head is not mistaken for such a chunk: its
fd_nextsize is the fd of the next head, which is never 0.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word, store_word
from allocsim.core.words import trailing_zeros64
from allocsim.designs.glibc.chunks import (
    MINSIZE,
    PREV_INUSE,
    bk,
    bk_nextsize,
    chunksize,
    fd,
    fd_nextsize,
    link_sizes,
    set_bk,
    set_bk_nextsize,
    set_fd,
    set_fd_nextsize,
    set_foot,
    set_head,
)
from allocsim.designs.glibc.records import MallocState

NBINS = 128
"""Number of bins; bins 0 and 127 are unused (NBINS)."""

UNSORTED = 1
"""Index of the unsorted list among the bins."""

MIN_LARGE_SIZE = 1024
"""Bytes of the smallest chunk in a large bin."""

NFASTBINS = 10
"""Number of fastbins of an arena; their chunk sizes are 32 to 176 in steps of 16 (NFASTBINS).
The last one is always empty, because `mxfast` is at most 160."""

BINMAP_WORDS = 2
"""Number of 64-bit words of the binmap. The library has four 32-bit words (BINMAPSIZE)."""

BINMAP, FASTBINS, BINS = 0, BINMAP_WORDS, BINMAP_WORDS + NFASTBINS
LIST_WORDS = BINS + 2 * NBINS
"""Layout of an arena's row of `Glibc.lists`, in words: the offsets of the binmap, the fastbins and
the bins, and the length of the row. The first two words at BINS belong to no bin. While an arena
has no memory, its top chunk has 0 bytes, and these two words are the header of that chunk. The
heads of bins 1 to 127 follow.
"""


@kernel
def bin_at(arena: MallocState, index: int) -> int:
    """Return the head of a bin, as a chunk."""
    return arena.bins + (index - 1) * 16


@kernel
def fastbin(arena: MallocState, size: int) -> int:
    """Return the address of the fastbin for `size`: a word that links to its newest chunk."""
    return arena.fastbins + ((size >> 4) - 2) * 8


@kernel
def binmap_word(arena: MallocState, index: int) -> int:
    """Return the address of the word of the binmap that has the bit of a bin."""
    return arena.binmap + (index >> 6) * 8


@kernel
def in_smallbin_range(size: int) -> bool:
    """Return whether chunks of this size go to a small bin."""
    return size < MIN_LARGE_SIZE


@kernel
def smallbin_index(size: int) -> int:
    """Return the small bin for chunks of a size (smallbin_index)."""
    return size >> 4


@kernel
def bin_index(size: int) -> int:
    """Return the bin for chunks of a size (bin_index)."""
    return min(smallbin_index(size), largebin_index(size))


@kernel
def largebin_index(size: int) -> int:
    """Return the large bin for chunks of a size (largebin_index_64).

    The ranges of higher bins are wider, so the formula for a size is the one with the least result.
    The library compares the size with limits instead, which costs mispredicted branches.
    """
    return min(
        48 + (size >> 6),
        91 + (size >> 9),
        110 + (size >> 12),
        119 + (size >> 15),
        124 + (size >> 18),
        126,
    )


@kernel
def leave_bins(arena: MallocState, size: int) -> None:
    """Subtract a chunk of `size` bytes from `binned` and `binned_chunks`."""
    arena.binned -= size
    arena.binned_chunks -= 1


@kernel
def unlink_chunk(p: int) -> None:
    """Take a chunk off its list (unlink_chunk). The caller updates the counts."""
    size, following, before = chunksize(p), fd(p), bk(p)
    set_bk(following, before)
    set_fd(before, following)
    if not in_smallbin_range(size) and fd_nextsize(p) != 0:
        _unlink_size(p, following)


@kernel
def _unlink_size(p: int, following: int) -> None:
    """Take the first chunk of a size off the list of sizes; the second, if any, takes its place."""
    if fd_nextsize(following) != 0:
        link_sizes(bk_nextsize(p), fd_nextsize(p))
    elif fd_nextsize(p) == p:
        link_sizes(following, following)
    else:
        smaller, larger = fd_nextsize(p), bk_nextsize(p)
        link_sizes(larger, following)
        link_sizes(following, smaller)


@kernel
def insert_unsorted(arena: MallocState, p: int, size: int) -> None:
    """Make the memory at `p` a free chunk, at the front of the unsorted list.

    The caller updates the counts. Only large chunks need the links by size. The links of all chunks
    that have room for them are cleared, because a branch on the range of the size would often be
    mispredicted.
    """
    head = bin_at(arena, UNSORTED)
    first = fd(head)
    _insert_between(head, p, first)
    if size > MINSIZE:
        set_fd_nextsize(p, 0)
        set_bk_nextsize(p, 0)
    set_head(p, size | PREV_INUSE)
    set_foot(p, size)


@kernel
def _insert_between(before: int, p: int, following: int) -> None:
    """Put a chunk on a list between two others."""
    set_bk(p, before)
    set_fd(p, following)
    set_bk(following, p)
    set_fd(before, p)


@kernel
def place_in_bin(arena: MallocState, victim: int, size: int) -> None:
    """Put a chunk from the unsorted list into its bin ("place chunk in bin")."""
    if in_smallbin_range(size):
        index = smallbin_index(size)
        following = fd(bin_at(arena, index))
    else:
        index = largebin_index(size)
        following = _place_by_size(bin_at(arena, index), victim, size)
    map_ = binmap_word(arena, index)
    store_word(map_, load_word(map_) | 1 << (index & 63))
    _insert_between(bk(following), victim, following)


@kernel
def _place_by_size(bin_: int, victim: int, size: int) -> int:
    """Put a chunk on a large bin's list of sizes if it is the first of its size.

    Returns the chunk that must follow `victim` in the bin.
    """
    smallest, largest = bk(bin_), fd(bin_)
    if largest == bin_:
        link_sizes(victim, victim)
        return bin_
    if size < chunksize(smallest):
        link_sizes(bk_nextsize(largest), victim)
        link_sizes(victim, largest)
        return bin_
    following = largest
    while size < chunksize(following):
        following = fd_nextsize(following)
    if size == chunksize(following):
        # `victim` becomes the second chunk of its size: the list of sizes does not change.
        return fd(following)
    link_sizes(bk_nextsize(following), victim)
    link_sizes(victim, following)
    return following


@kernel
def unmark_bin(arena: MallocState, index: int) -> None:
    """Clear the bit of a bin in the map if the bin is empty.

    malloc calls this when it has taken a chunk that `next_used_bin` found. The library clears a bit
    only when it finds the bin empty. The addresses are the same, but finding empty bins costs
    mispredicted branches.
    """
    bin_, map_ = bin_at(arena, index), binmap_word(arena, index)
    is_empty = int(bk(bin_) == bin_)
    store_word(map_, load_word(map_) & ~(is_empty << (index & 63)))


@kernel
def next_used_bin(arena: MallocState, index: int) -> int:
    """Return the first bin from `index` on that has chunks, or 0 if all of them are empty.

    A bin's bit in the map may still be set although the bin is empty by now. As in the library,
    such a bit is cleared when it is found.
    """
    while index < NBINS - 1:
        map_ = binmap_word(arena, index)
        bits = load_word(map_) >> (index & 63)
        if bits == 0:
            index = (index | 63) + 1
            continue
        index += trailing_zeros64(bits)
        bin_ = bin_at(arena, index)
        if bk(bin_) != bin_:
            return index
        store_word(map_, load_word(map_) & ~(1 << (index & 63)))
        index += 1
    return 0
