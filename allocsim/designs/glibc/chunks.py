"""Chunks and their boundary tags in the heap's memory (malloc.c, "malloc_chunk details").

A chunk is a piece of the heap that holds one object or is free. A chunk at address p:

    p       if the chunk before is free, the size of that chunk (its foot);
            if this chunk has a mapping of its own, the bytes from the mapping's start to p
    p + 8   head: size of this chunk, a multiple of 16, and three flags
    p + 16  the object; in a free chunk the links fd, bk and, if it is large, fd_nextsize,
            bk_nextsize
    p + size
            the next chunk: its first word belongs to this object while the object is in use

Chunks in thread caches and fastbins are still flagged as in use, so neighbours do not merge with
them. Safe-linking, which disguises links, is left out because it changes no address.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.word_fields import getter, setter

MALLOC_ALIGNMENT = 16
"""Alignment of chunks and objects, in bytes."""
CHUNK_HDR_SZ = 16
"""Bytes from a chunk to its object."""
SIZE_SZ = 8
"""Bytes of a size_t: before rounding, a chunk has this many bytes more than its object."""
MINSIZE = 32
"""Bytes of the smallest chunk."""

PREV_INUSE = 1
"""Flag of a head: the chunk before is in use."""
IS_MMAPPED = 2
"""Flag of a head: the chunk has a mapping of its own."""
NON_MAIN_ARENA = 4
"""Flag of a head: the chunk is in use, and its arena is not the main one."""
SIZE_BITS = 7
"""Mask of the three flags of a head."""

PAGE = 4096
"""Bytes of a page of the operating system."""

MAX_REQUEST = 1 << 62
"""Larger requests are reduced to this many bytes, so that no sum can overflow. A request of this
size always fails."""


@kernel
def request2size(request: int) -> int:
    """Return the bytes of the chunk for a request."""
    return max(MINSIZE, (min(request, MAX_REQUEST) + SIZE_SZ + MALLOC_ALIGNMENT - 1) & -16)


@kernel
def align_up(length: int) -> int:
    """Round up to whole pages."""
    return (length + PAGE - 1) & -PAGE


@kernel
def align_down(length: int) -> int:
    """Round down to whole pages."""
    return length & -PAGE


mchunk_size, set_head = getter(8), setter(8)
"""Return or set the size and the flags of a chunk."""
chunksize = getter(8, ~SIZE_BITS)
"""Return the bytes of the chunk at an address."""
prev_inuse = getter(8, PREV_INUSE)
"""Return whether the preceding chunk is flagged as in use (see the module's description)."""
non_main_arena = getter(8, NON_MAIN_ARENA)
"""Return NON_MAIN_ARENA if the chunk is in use and its arena is not the main one, else 0."""
chunk_is_mmapped = getter(8, IS_MMAPPED)
"""Return whether the chunk has a mapping of its own."""
prev_size = getter(0)
"""Return the foot of the preceding chunk, or the bytes from the mapping's start to the chunk."""
set_prev_size = setter(0)
"""Set the number of bytes from the start of a mapping to its chunk."""

fd, set_fd = getter(16), setter(16)
"""Return or set the next chunk in the list."""
bk, set_bk = getter(24), setter(24)
"""Return or set the previous chunk in the list."""
fd_nextsize, set_fd_nextsize = getter(32), setter(32)
"""Return or set the first chunk of the next smaller size in the large bin."""
bk_nextsize, set_bk_nextsize = getter(40), setter(40)
"""Return or set the first chunk of the next larger size in the large bin."""


@kernel
def set_head_size(p: int, head: int) -> None:
    """Set the size and the arena flag of a chunk; keep its flag PREV_INUSE."""
    set_head(p, prev_inuse(p) | head)


@kernel
def set_foot(p: int, size: int) -> None:
    """Write the size of a free chunk at its end."""
    set_prev_size(p + size, size)


@kernel
def inuse_bit_at_offset(p: int, offset: int) -> int:
    """Return whether the chunk that ends at p + offset is in use."""
    return prev_inuse(p + offset)


@kernel
def set_inuse_bit_at_offset(p: int, offset: int) -> None:
    """Mark the chunk that ends at p + offset as in use."""
    set_head(p + offset, mchunk_size(p + offset) | PREV_INUSE)


@kernel
def clear_inuse_bit_at_offset(p: int, offset: int) -> None:
    """Mark the chunk that ends at p + offset as free."""
    set_head(p + offset, mchunk_size(p + offset) & ~PREV_INUSE)


@kernel
def link_sizes(larger: int, smaller: int) -> None:
    """Make two chunks neighbours in the list of a large bin's sizes."""
    set_fd_nextsize(larger, smaller)
    set_bk_nextsize(smaller, larger)
