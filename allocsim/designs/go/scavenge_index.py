"""The scavenger's record of each chunk, and where searches begin (runtime/mgcscavenge.go).

The scavenger searches downwards for pages to release. A generation is the time from one collection
to the next. A background search skips chunks that are dense or were dense when the generation
began, and starts no higher than the highest page freed before this generation. A forced search
finds every free page that is not released.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.go.mpallocbits import CHUNK_PAGES, CHUNK_SHIFT
from allocsim.designs.go.records import BACKGROUND, FORCED, Go, ScavChunkData

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
    last = first + npages - 1
    scavenger.free_hwm = max(scavenger.free_hwm, last)
    raise_search(heap, FORCED, last)


@kernel
def _begin_generation(data: ScavChunkData, gen: int) -> None:
    """Before the first change of a chunk in a generation, save its number of pages in use."""
    if data.gen != gen:
        data.last_in_use = data.in_use
        data.gen = gen


@kernel
def next_gen(heap: Go) -> None:
    """Begin a generation; background searches may now find pages freed before it (nextGen)."""
    scavenger = heap.scavenger[0]
    scavenger.gen += 1
    raise_search(heap, BACKGROUND, scavenger.free_hwm)
    scavenger.free_hwm = -1


@kernel
def raise_search(heap: Go, kind: int, page: int) -> None:
    """Make the next search of a kind start no lower than `page` (atomicOffAddr.StoreMarked)."""
    search = heap.scav_search[kind]
    if search.page < page:
        search.page, search.marked = page, 1


@kernel
def should_scavenge(data: ScavChunkData, gen: int, kind: int) -> bool:
    """Return whether a search of a kind may release pages of a chunk (shouldScavenge)."""
    if kind == FORCED or not data.has_free:
        return data.has_free != 0
    if data.in_use >= DENSE_PAGES:
        return False
    return data.gen != gen or data.last_in_use < DENSE_PAGES


@kernel
def find_chunk(heap: Go, kind: int) -> int:
    """Return the page from which to search down for pages to release (scavengeIndex.find).

    If no chunk has pages to release, returns -1. The page at which the next search starts is then
    set to -1 too, unless `raise_search` has marked it. If a search finds pages only below the chunk
    in which it starts, the next search starts in the chunk that was found, and the mark is removed
    (atomicOffAddr).
    """
    search, gen = heap.scav_search[kind], heap.scavenger[0].gen
    start = search.page >> CHUNK_SHIFT
    for chunk in range(start, -1, -1):
        if should_scavenge(heap.scav_chunk[chunk], gen, kind):
            if chunk != start:
                search.page, search.marked = ((chunk + 1) << CHUNK_SHIFT) - 1, 0
            return search.page
    if not search.marked:
        search.page = -1
    return -1
