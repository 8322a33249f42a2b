"""Corruptions of chunks, lists and arenas of a glibc heap, for `test_check`."""

import numpy as np

from allocsim.core.memory import Reservation
from allocsim.core.raw import load_word, store_word
from allocsim.core.records import HeapState
from allocsim.designs.glibc import check_arenas, check_chunks, check_lists
from allocsim.designs.glibc.bins import BINMAP, BINS, FASTBINS, bin_at
from allocsim.designs.glibc.check_lists import listed_in_bin
from allocsim.designs.glibc.tcache import TCACHE_MAX_BINS
from tests.corruptions import Corruptions

CORRUPTIONS = Corruptions()
breaks = CORRUPTIONS.breaks


def first_chunk(state: HeapState) -> int:
    """The first chunk of the main arena."""
    return int(state.mp_[0].sbrk_base)


def listed(state: HeapState, memory: Reservation, minimum: int = 1, av: int = 0) -> list[int]:
    """Return the chunks of the first bin that has at least `minimum` chunks.

    The unsorted list is not searched.
    """
    words = check_chunks.Words(memory)
    bins = [listed_in_bin(state, words, av, index) for index in range(2, 127)]
    return next(chunks for chunks in bins if len(chunks) >= minimum)


def equal_sizes(state: HeapState, memory: Reservation) -> list[int]:
    """Return the chunks of a large bin in which two have the same size."""
    words = check_chunks.Words(memory)
    for index in range(64, 127):
        chunks = listed_in_bin(state, words, 0, index)
        sizes = [load_word(p + 8) for p in chunks]
        if len(set(sizes)) < len(sizes):
            return chunks
    raise AssertionError("no bin has two chunks of equal size")


def cached(state: HeapState) -> tuple[int, int]:
    """Return the index of thread 0's first non-empty cached list, and the list's newest object."""
    index = int(np.flatnonzero(state.tcache[:TCACHE_MAX_BINS].head)[0])
    return index, int(state.tcache[index].head)


@breaks(check_chunks.chunks_fill_their_memory, "has an invalid size")
def size_too_small(state: HeapState, memory: Reservation) -> None:
    store_word(first_chunk(state) + 8, 1)


@breaks(check_chunks.chunks_fill_their_memory, "has an invalid size")
def size_beyond_top(state: HeapState, memory: Reservation) -> None:
    store_word(first_chunk(state) + 8, 1 << 40 | 1)


@breaks(check_chunks.chunks_fill_their_memory, "does not reach the end")
def top_too_short(state: HeapState, memory: Reservation) -> None:
    top = int(state.arena[0].top)
    store_word(top + 8, load_word(top + 8) - 16)


@breaks(check_chunks.chunks_fill_their_memory, "has no fence posts")
def fence_post_overwritten(state: HeapState, memory: Reservation) -> None:
    slot = check_chunks.slots_of(state, 1)[1]
    start = (int(state.mp_[0].first_slot) + slot) << 26
    store_word(start + int(state.heap_info[slot].size_) - 8, 17)


@breaks(check_chunks.free_chunks_are_apart, "following a free one")
def first_chunk_follows_nothing(state: HeapState, memory: Reservation) -> None:
    p = first_chunk(state)
    store_word(p + 8, load_word(p + 8) & ~1)


@breaks(check_chunks.free_chunks_are_apart, "are both free")
def free_neighbours(state: HeapState, memory: Reservation) -> None:
    p = listed(state, memory)[0]
    store_word(p + 8, load_word(p + 8) & ~1)


@breaks(check_chunks.chunks_name_their_arena, "of arena 0 has wrong flags")
def chunk_of_the_main_arena_flagged(state: HeapState, memory: Reservation) -> None:
    p = first_chunk(state)
    store_word(p + 8, load_word(p + 8) | 4)


@breaks(check_arenas.arenas_have_their_heaps, "but names arena")
def heap_of_another_arena(state: HeapState, memory: Reservation) -> None:
    state.heap_info[check_chunks.slots_of(state, 1)[0]].ar_ptr = 2


@breaks(check_arenas.arenas_have_their_heaps, "its heaps have")
def arena_counts_too_much(state: HeapState, memory: Reservation) -> None:
    state.arena[1].system_mem += 4096


@breaks(check_arenas.arenas_have_their_heaps, "at most")
def heap_larger_than_it_was(state: HeapState, memory: Reservation) -> None:
    state.heap_info[check_chunks.slots_of(state, 2)[0]].mprotect_size = 100


@breaks(check_arenas.arenas_have_their_heaps, "slots in use")
def heap_of_no_arena(state: HeapState, memory: Reservation) -> None:
    state.heap_info[len(state.heap_info) - 1].ar_ptr = 1


@breaks(check_lists.bins_are_linked_and_sorted, "leads to")
def broken_link(state: HeapState, memory: Reservation) -> None:
    store_word(listed(state, memory)[0] + 24, 12345)


@breaks(check_lists.bins_are_linked_and_sorted, "leads to")
def chunk_of_another_arena_in_a_bin(state: HeapState, memory: Reservation) -> None:
    p, head = listed(state, memory, av=1)[0], bin_at(state.arena[0], 126)
    state.lists[0, BINS + 252] = state.lists[0, BINS + 253] = p
    store_word(p + 16, head)
    store_word(p + 24, head)


@breaks(check_lists.bins_are_linked_and_sorted, "is in bin 126")
def chunk_in_the_bin_of_another_size(state: HeapState, memory: Reservation) -> None:
    p, head = listed(state, memory)[0], bin_at(state.arena[0], 126)
    state.lists[0, BINS + 252] = state.lists[0, BINS + 253] = p
    store_word(p + 16, head)
    store_word(p + 24, head)


@breaks(check_lists.bins_are_linked_and_sorted, "its bit in the binmap is 0")
def bin_missing_in_the_map(state: HeapState, memory: Reservation) -> None:
    state.lists[0, BINMAP:FASTBINS] = 0


@breaks(check_lists.bins_are_linked_and_sorted, "out of order")
def large_bin_out_of_order(state: HeapState, memory: Reservation) -> None:
    last = equal_sizes(state, memory)[-1]
    store_word(last + 8, load_word(last + 8) + 16)


@breaks(check_lists.sizes_are_linked, "has wrong links by size")
def sizes_not_linked(state: HeapState, memory: Reservation) -> None:
    store_word(equal_sizes(state, memory)[0] + 40, 0)


@breaks(check_lists.sizes_are_linked, "has wrong links by size")
def later_chunk_of_a_size_linked(state: HeapState, memory: Reservation) -> None:
    chunks = equal_sizes(state, memory)
    sizes = [load_word(p + 8) for p in chunks]
    later = next(p for place, p in enumerate(chunks) if sizes.index(sizes[place]) < place)
    store_word(later + 32, later)


@breaks(check_lists.free_chunks_are_marked, "is marked as")
def free_chunk_not_listed(state: HeapState, memory: Reservation) -> None:
    p = first_chunk(state)
    end = p + (load_word(p + 8) & -8)
    store_word(end + 8, load_word(end + 8) & ~1)


@breaks(check_lists.free_chunks_are_marked, "has the foot")
def foot_differs(state: HeapState, memory: Reservation) -> None:
    p = listed(state, memory)[0]
    store_word(p + (load_word(p + 8) & -8), 8)


@breaks(check_lists.small_lists_hold_their_sizes, "is free twice")
def chunk_in_two_caches(state: HeapState, memory: Reservation) -> None:
    index, head = cached(state)
    state.tcache[TCACHE_MAX_BINS + index].head = head


@breaks(check_lists.small_lists_hold_their_sizes, "expected chunks of")
def chunk_in_the_cache_of_another_size(state: HeapState, memory: Reservation) -> None:
    index, head = cached(state)
    state.tcache[index + 1].head = head


@breaks(check_lists.small_lists_hold_their_sizes, "but counts")
def cache_counts_too_much(state: HeapState, memory: Reservation) -> None:
    state.tcache[cached(state)[0]].room -= 1


@breaks(check_lists.small_lists_hold_their_sizes, "leads to 0x0")
def cache_runs_in_a_circle(state: HeapState, memory: Reservation) -> None:
    head = cached(state)[1]
    store_word(head, head)


@breaks(check_lists.small_lists_hold_their_sizes, "fastbin 1 of arena 0 leads to")
def fastbin_leads_into_an_object(state: HeapState, memory: Reservation) -> None:
    state.lists[0, FASTBINS + 1] = int(state.lists[0, FASTBINS + 1]) + 16


@breaks(check_arenas.arenas_count_their_chunks, "binned bytes, but has")
def used_bytes_differ(state: HeapState, memory: Reservation) -> None:
    state.arena[0].used += 16


@breaks(check_arenas.arenas_count_their_chunks, "bytes, but has")
def binned_bytes_differ(state: HeapState, memory: Reservation) -> None:
    state.arena[0].binned += 16


@breaks(check_arenas.arenas_count_their_chunks, "bytes, but has")
def fast_bytes_differ(state: HeapState, memory: Reservation) -> None:
    state.arena[0].fast -= 16


@breaks(check_arenas.arenas_count_their_chunks, "binned; found: ")
def binned_chunks_differ(state: HeapState, memory: Reservation) -> None:
    state.arena[1].binned_chunks += 1


@breaks(check_arenas.arenas_count_their_chunks, "binned; found: ")
def number_of_fast_chunks_differs(state: HeapState, memory: Reservation) -> None:
    state.arena[0].fast_chunks -= 1


@breaks(check_arenas.arenas_count_their_chunks, "headers and fence posts")
def fixed_bytes_differ(state: HeapState, memory: Reservation) -> None:
    state.arena[1].fixed -= 16


@breaks(check_arenas.arenas_count_their_chunks, "have_fastchunks is 0")
def fast_chunks_denied(state: HeapState, memory: Reservation) -> None:
    state.arena[0].have_fastchunks = 0


@breaks(check_arenas.arenas_count_their_chunks, "its maximum is")
def maximum_too_low(state: HeapState, memory: Reservation) -> None:
    state.arena[0].max_system_mem = 5


@breaks(check_arenas.arenas_know_their_threads, "found in the circular list")
def arena_missing_in_the_circle(state: HeapState, memory: Reservation) -> None:
    state.arena[0].next = 0


@breaks(check_arenas.arenas_know_their_threads, "threads of arena 1 counted")
def thread_not_counted(state: HeapState, memory: Reservation) -> None:
    state.arena[1].attached_threads = 0


@breaks(check_arenas.arenas_know_their_threads, "the list of unused arenas")
def used_arena_is_unused(state: HeapState, memory: Reservation) -> None:
    state.mp_[0].free_list = 1
