"""Invariants of arenas: their heaps, their counts and their threads, in plain Python.

A heap of an arena is in a slot, an aligned range of HEAP_MAX_SIZE bytes of addresses.
`check_chunks` explains why the checks are not compiled.
"""

from __future__ import annotations

from collections import Counter

from allocsim.core.memory import Reservation
from allocsim.designs.glibc.address_space import HEAP_MAX_SIZE
from allocsim.designs.glibc.bins import FASTBINS, NBINS, NFASTBINS, UNSORTED
from allocsim.designs.glibc.check_chunks import (
    Region,
    Sentences,
    Words,
    chunks_fill_their_memory,
    chunks_name_their_arena,
    chunks_of,
    free_chunks_are_apart,
    regions_of,
    slots_of,
)
from allocsim.designs.glibc.check_lists import (
    bins_are_linked_and_sorted,
    chain,
    free_chunks_are_marked,
    listed_in_bin,
    sizes_are_linked,
    small_lists_hold_their_sizes,
)
from allocsim.designs.glibc.check_mappings import (
    free_ranges_are_listed,
    heap_is_what_was_mapped,
    mappings_are_what_they_count,
    mappings_fill_the_end,
)
from allocsim.designs.glibc.heaps import HEAP_INFO
from allocsim.designs.glibc.records import Glibc


def arenas_have_their_heaps(heap: Glibc, memory: Reservation) -> Sentences:
    """A heap names its arena and fits its slot; an arena's memory is the sum of its heaps."""
    owners = dict[int, int]()
    for av in range(1, int(heap.mp_[0].narenas)):
        slots, size = slots_of(heap, av), 0
        for slot in slots:
            info = heap.heap_info[slot]
            size += int(info.size_)
            if info.ar_ptr != av or owners.setdefault(slot, av) != av:
                yield f"slot {slot} is a heap of arena {av}, but names arena {info.ar_ptr}"
            if not HEAP_INFO < info.size_ <= info.mprotect_size <= HEAP_MAX_SIZE:
                yield f"slot {slot} has {info.size_} bytes in use, at most {info.mprotect_size} fit"
        if size != heap.arena[av].system_mem:
            yield f"arena {av} has {heap.arena[av].system_mem} bytes, its heaps have {size}"
    if int((heap.heap_info.ar_ptr != 0).sum()) != len(owners):
        yield f"{len(owners)} heaps found, {int((heap.heap_info.ar_ptr != 0).sum())} slots in use"


def arenas_count_their_chunks(heap: Glibc, memory: Reservation) -> Sentences:
    """An arena's counts of chunks and bytes are correct; `fixed` counts headers and fence posts."""
    words, regions = Words(memory), regions_of(heap, memory)
    for av in range(int(heap.mp_[0].narenas)):
        arena = heap.arena[av]
        own_regions = [region for region in regions if region.arena == av]
        sizes = [chunk.size for region in own_regions for chunk in chunks_of(region, words)]
        listed = [listed_in_bin(heap, words, av, index) for index in range(UNSORTED, NBINS - 1)]
        binned = [words[p + 8] & -8 for members in listed for p in members if p]
        links = [int(heap.lists[av, FASTBINS + index]) for index in range(NFASTBINS)]
        fast = [words[p + 8] & -8 for first in links for p in chain(words, first, 16) if p]
        actual = (sum(sizes) - sum(binned) - sum(fast), sum(fast), sum(binned))
        counted = (arena.used, arena.fast, arena.binned)
        if counted != actual:
            yield (
                f"arena {av} counts {arena.used} used, {arena.fast} fast and {arena.binned} binned "
                f"bytes, but has {actual[0]}, {actual[1]} and {actual[2]}"
            )
        lengths, numbers = (len(fast), len(binned)), (arena.fast_chunks, arena.binned_chunks)
        if numbers != lengths:
            yield (
                f"chunks of arena {av} counted: {arena.fast_chunks} fast, {arena.binned_chunks} "
                f"binned; found: {lengths[0]} fast, {lengths[1]} binned"
            )
        fixed = sum(_fixed_bytes(region, int(arena.top)) for region in own_regions)
        if arena.fixed != fixed:
            yield (
                f"arena {av} counts {arena.fixed} bytes of headers and fence posts, "
                f"expected {fixed}"
            )
        if fast and not arena.have_fastchunks:
            yield f"arena {av} has chunks in fastbins, but have_fastchunks is 0"
        if arena.max_system_mem < arena.system_mem:
            yield f"arena {av} has {arena.system_mem} bytes, its maximum is {arena.max_system_mem}"


def _fixed_bytes(region: Region, top: int) -> int:
    """Return the bytes of headers and fence posts of a region."""
    if region.arena == 0:
        return 0
    header = region.start % HEAP_MAX_SIZE
    return header + (region.limit - region.end if region.end != top else 0)


def arenas_know_their_threads(heap: Glibc, memory: Reservation) -> Sentences:
    """All arenas are in one circular list and count their threads; unused arenas have no thread."""
    mp, ring, av = heap.mp_[0], list[int](), 0
    while av not in ring and 0 <= av < mp.narenas:
        ring.append(av)
        av = int(heap.arena[av].next)
    if av != 0 or len(ring) != mp.narenas:
        yield f"arenas counted: {mp.narenas}, found in the circular list: {len(ring)}"
    attached = Counter(int(number) - 1 for number in heap.thread.arena[heap.thread.arena > 0])
    attached[0] += not mp.initialized
    for av in ring:
        if heap.arena[av].attached_threads != attached[av]:
            counted = heap.arena[av].attached_threads
            yield f"threads of arena {av} counted: {counted}, found: {attached[av]}"
    free, number = list[int](), int(mp.free_list)
    while 0 < number <= mp.narenas and number - 1 not in free:
        free.append(number - 1)
        number = int(heap.arena[number - 1].next_free)
    if number or any(attached[av] for av in free):
        yield f"the list of unused arenas, {free}, has an arena with threads or a broken link"


INVARIANTS = (
    chunks_fill_their_memory,
    arenas_have_their_heaps,
    free_chunks_are_apart,
    chunks_name_their_arena,
    mappings_fill_the_end,
    mappings_are_what_they_count,
    heap_is_what_was_mapped,
    bins_are_linked_and_sorted,
    sizes_are_linked,
    free_chunks_are_marked,
    small_lists_hold_their_sizes,
    arenas_count_their_chunks,
    arenas_know_their_threads,
    free_ranges_are_listed,
)
"""All invariants of the heap."""
