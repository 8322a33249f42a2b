"""Chunks with a mapping of their own (malloc.c, munmap_chunk and mremap_chunk).

Such a chunk begins where its mapping begins, or some bytes later if memalign has aligned its
object. The chunk's first word holds the number of these bytes. The mapping is unmapped as soon as
the chunk is freed.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.designs.glibc.address_space import find_mapping, mapping_length, mremap, munmap
from allocsim.designs.glibc.chunks import (
    CHUNK_HDR_SZ,
    IS_MMAPPED,
    PAGE,
    SIZE_SZ,
    align_up,
    chunksize,
    prev_size,
    set_head,
)
from allocsim.designs.glibc.records import Glibc, Kind

DEFAULT_MMAP_THRESHOLD_MAX = 32 << 20
"""Maximum that the dynamic mmap_threshold reaches, in bytes."""


@kernel
def mapping_of(heap: Glibc, p: int) -> int:
    """Return the number of the mapping whose chunk is at `p`, or 0 if no such mapping exists."""
    mp, front = heap.mp_[0], prev_size(p)
    offset = (p + CHUNK_HDR_SZ) & (PAGE - 1)
    if not 0 <= front <= p - mp.start or offset & (offset - 1):
        return 0
    number = find_mapping(heap, p - front, Kind.CHUNK)
    return number if number and mapping_length(heap, number) == front + chunksize(p) else 0


@kernel
def munmap_chunk(heap: Glibc, p: int) -> int:
    """Unmap a chunk (munmap_chunk). Returns a Status; if it is not OK, nothing has changed."""
    number, mp = mapping_of(heap, p), heap.mp_[0]
    if number == 0:
        return Status.UNKNOWN_POINTER
    mp.n_mmaps -= 1
    mp.mmapped_mem -= munmap(heap, number)
    return Status.OK


@kernel
def free_mmapped(heap: Glibc, p: int) -> int:
    """Free a chunk with a mapping of its own, and adapt the thresholds to its size.

    The thresholds grow with the size, up to a maximum. A chunk of exactly the maximum size changes
    no threshold, because the IS_MMAPPED bit is still set in the size that the library compares
    with the maximum (__libc_free). Returns a Status.
    """
    size, mp = chunksize(p), heap.mp_[0]
    status = munmap_chunk(heap, p)
    if status == Status.OK and (
        not mp.no_dyn_threshold
        and mp.mmap_threshold < size | IS_MMAPPED <= DEFAULT_MMAP_THRESHOLD_MAX
    ):
        mp.mmap_threshold = size
        mp.trim_threshold = 2 * size
    return status


@kernel
def mremap_chunk(heap: Glibc, p: int, nb: int) -> int:
    """Resize the mapping of a chunk; return the chunk, or 0 on failure (mremap_chunk)."""
    mp, front, size = heap.mp_[0], prev_size(p), chunksize(p)
    length = align_up(nb + front + SIZE_SZ)
    if length == front + size:
        return p
    start = mremap(heap, mapping_of(heap, p), length)
    if start == 0:
        return 0
    p = start + front
    set_head(p, (length - front) | IS_MMAPPED)
    mp.mmapped_mem += length - size - front
    return p
