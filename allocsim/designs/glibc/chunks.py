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
from allocsim.core.raw import load_word, store_word

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


@kernel
def chunksize(p: int) -> int:
    """Return the bytes of the chunk at `p`."""
    return load_word(p + 8) & ~SIZE_BITS


@kernel
def prev_size(p: int) -> int:
    """Return the foot of the chunk before `p`, or the bytes from the mapping's start to `p`."""
    return load_word(p)


@kernel
def set_prev_size(p: int, size: int) -> None:
    """Set the number of bytes from the start of a mapping to its chunk at `p`."""
    store_word(p, size)


@kernel
def prev_inuse(p: int) -> int:
    """Return whether the chunk before `p` is flagged as in use (see the module's description)."""
    return load_word(p + 8) & PREV_INUSE


@kernel
def chunk_is_mmapped(p: int) -> int:
    """Return whether the chunk has a mapping of its own."""
    return load_word(p + 8) & IS_MMAPPED


@kernel
def set_head(p: int, head: int) -> None:
    """Set the size and the flags of a chunk."""
    store_word(p + 8, head)


@kernel
def set_head_size(p: int, head: int) -> None:
    """Set the size and the arena flag of a chunk; keep its flag PREV_INUSE."""
    store_word(p + 8, (load_word(p + 8) & PREV_INUSE) | head)


@kernel
def set_foot(p: int, size: int) -> None:
    """Write the size of a free chunk at its end."""
    store_word(p + size, size)


@kernel
def inuse_bit_at_offset(p: int, offset: int) -> int:
    """Return whether the chunk that ends at p + offset is in use."""
    return load_word(p + offset + 8) & PREV_INUSE


@kernel
def set_inuse_bit_at_offset(p: int, offset: int) -> None:
    """Mark the chunk that ends at p + offset as in use."""
    store_word(p + offset + 8, load_word(p + offset + 8) | PREV_INUSE)


@kernel
def clear_inuse_bit_at_offset(p: int, offset: int) -> None:
    """Mark the chunk that ends at p + offset as free."""
    store_word(p + offset + 8, load_word(p + offset + 8) & ~PREV_INUSE)


@kernel
def fd(p: int) -> int:
    """Return the next chunk of a list."""
    return load_word(p + 16)


@kernel
def bk(p: int) -> int:
    """Return the previous chunk of a list."""
    return load_word(p + 24)


@kernel
def set_fd(p: int, chunk: int) -> None:
    """Set the next chunk of a list."""
    store_word(p + 16, chunk)


@kernel
def set_bk(p: int, chunk: int) -> None:
    """Set the previous chunk of a list."""
    store_word(p + 24, chunk)


@kernel
def fd_nextsize(p: int) -> int:
    """Return the first chunk of the next smaller size in the large bin."""
    return load_word(p + 32)


@kernel
def bk_nextsize(p: int) -> int:
    """Return the first chunk of the next larger size in the large bin."""
    return load_word(p + 40)


@kernel
def link_sizes(larger: int, smaller: int) -> None:
    """Make two chunks neighbours in the list of a large bin's sizes."""
    store_word(larger + 32, smaller)
    store_word(smaller + 40, larger)
