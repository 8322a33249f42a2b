"""The scavenger's record of each chunk, and where its search begins (runtime/mgcscavenge.go)."""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.go.mpallocbits import CHUNK_PAGES, CHUNK_SHIFT
from allocsim.designs.go.records import Go, ScavChunkData

DENSE_PAGES = 496
"""A chunk with at least this many pages in use is dense, and left alone (scavChunkHiOccPages)."""


@kernel
def index_alloc(heap: Go, first: int, npages: int) -> None:
    """Count pages of one chunk as in use (scavengeIndex.alloc)."""
    data = heap.scav_chunk[first >> CHUNK_SHIFT]
    _begin_generation(data, heap.scavenger[0].gen)
    data.in_use += npages
    if data.in_use == CHUNK_PAGES:
        data.has_free = 0


@kernel
def index_free(heap: Go, first: int, npages: int) -> None:
    """Count pages of one chunk as free (scavengeIndex.free)."""
    data, scavenger = heap.scav_chunk[first >> CHUNK_SHIFT], heap.scavenger[0]
    _begin_generation(data, scavenger.gen)
    data.in_use -= npages
    data.has_free = 1
    scavenger.free_hwm = max(scavenger.free_hwm, first + npages - 1)


@kernel
def _begin_generation(data: ScavChunkData, gen: int) -> None:
    """Before the first change of a chunk in a generation, save its number of pages in use."""
    if data.gen != gen:
        data.last_in_use = data.in_use
        data.gen = gen


@kernel
def next_gen(heap: Go) -> None:
    """Begin a generation: pages freed in the last one may be released now (nextGen)."""
    scavenger = heap.scavenger[0]
    scavenger.gen += 1
    if scavenger.search_addr < scavenger.free_hwm:
        scavenger.search_addr, scavenger.marked = scavenger.free_hwm, 1
    scavenger.free_hwm = -1


@kernel
def should_scavenge(data: ScavChunkData, gen: int) -> bool:
    """Return whether pages of a chunk may be released (shouldScavenge)."""
    if not data.has_free or data.in_use >= DENSE_PAGES:
        return False
    return data.gen != gen or data.last_in_use < DENSE_PAGES


@kernel
def find_chunk(heap: Go) -> int:
    """Return the page from which to search down for pages to release (scavengeIndex.find).

    Returns -1 if no chunk has any, and then also sets the search address to -1, unless it is
    marked. `next_gen` marks the address when it raises it; a search that lowers it removes the mark
    (atomicOffAddr).
    """
    scavenger = heap.scavenger[0]
    start = scavenger.search_addr >> CHUNK_SHIFT
    for chunk in range(start, -1, -1):
        if should_scavenge(heap.scav_chunk[chunk], scavenger.gen):
            if chunk != start:
                scavenger.search_addr = ((chunk + 1) << CHUNK_SHIFT) - 1
                scavenger.marked = 0
            return scavenger.search_addr
    if not scavenger.marked:
        scavenger.search_addr = -1
    return -1
