"""Statistics of a glibc heap: its parts, and what mallinfo2 and malloc_info report.

A counter has the name and the meaning that the library gives it. malloc_info prints XML. A counter
of an element is named by the element and its type: `system.current` is `<system type="current">`. A
counter in a `<total>` element is named by the type and the attribute, as in `fast.count`. Each
arena has its own counters. The order is the library's: the main arena, then the others from the
newest to the oldest.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.raw import load_word
from allocsim.core.records import Int64, Sample, Struct
from allocsim.core.system import fill_counts, fill_system
from allocsim.core.tables import records
from allocsim.designs.glibc.bins import NBINS, NFASTBINS, bin_at
from allocsim.designs.glibc.chunks import chunksize, fd
from allocsim.designs.glibc.heaps import slot_of
from allocsim.designs.glibc.records import Glibc
from allocsim.designs.glibc.tcache import cached_bytes


@kernel
def fill_sample(heap: Glibc, live: int, sample: Sample) -> int:
    """Fill every field of `sample` except `event`; return a Status.

    The parts are counted separately, so that their sum can be checked against the heap. A span of
    the sample is a chunk here. It is free if it is in a bin or is the top of an arena. Otherwise it
    counts as in use, even if a tcache or a fastbin holds it.
    """
    mp, counters = heap.mp_[0], heap.counters[0]
    occupied = mp.mmapped_mem + mp.stack_bytes
    sample.tail = sample.transfer = sample.central = sample.free_spans = sample.released = 0
    counters.free_spans = 0
    for av in range(mp.narenas):
        arena = heap.arena[av]
        occupied += arena.used
        sample.tail += arena.fixed
        sample.transfer += arena.fast
        sample.central += arena.binned
        sample.free_spans += chunksize(arena.top)
        counters.free_spans += arena.binned_chunks + (chunksize(arena.top) > 0)
    sample.thread_cache = _cached(heap)
    sample.live = live
    sample.rounding = occupied - sample.thread_cache - live
    fill_system(heap, sample)
    fill_counts(counters, sample)
    sample.spans_total += counters.splits - counters.coalesces + mp.n_mmaps
    sample.spans_in_use = sample.spans_total - sample.spans_free
    return Status.OK


@kernel
def _cached(heap: Glibc) -> int:
    """Return the bytes of the chunks in all caches."""
    total = 0
    for thread in range(heap.mp_[0].threads):
        total += cached_bytes(heap, thread)
    return total


class ArenaUse(Struct):
    """The counts that malloc_info prints for one arena."""

    fast_count: Int64  # chunks in fastbins
    fast_size: Int64  # their bytes
    rest_count: Int64  # chunks in bins and on the unsorted list, and top
    rest_size: Int64  # their bytes


@kernel
def count_arena(heap: Glibc, av: int, use: ArenaUse) -> None:
    """Count the free chunks of an arena by walking its lists (int_mallinfo)."""
    arena = heap.arena[av]
    use.fast_count = use.fast_size = 0
    use.rest_count, use.rest_size = 1, chunksize(arena.top)
    for index in range(NFASTBINS):
        p = load_word(arena.fastbins + 8 * index)
        while p:
            use.fast_count += 1
            use.fast_size += chunksize(p)
            p = load_word(p + 16)
    for index in range(1, NBINS - 1):
        head = bin_at(arena, index)
        p = fd(head)
        while p != head:
            use.rest_count += 1
            use.rest_size += chunksize(p)
            p = fd(p)


def arenas(heap: Glibc) -> list[int]:
    """Return the numbers of all arenas, in the order of the library's list."""
    numbers = [0]
    while (following := int(heap.arena[numbers[-1]].next)) != 0:
        numbers.append(following)
    return numbers


def native_counters(heap: Glibc) -> dict[str, int]:
    """Return the fields of mallinfo2, and what malloc_info prints for each arena."""
    uses = {}
    for av in arenas(heap):
        use = records(ArenaUse)
        count_arena(heap, av, use[0])
        uses[av] = dict(zip(ArenaUse.dtype.names or (), map(int, use[0].tolist()), strict=True))
    counters = _mallinfo2(heap, list(uses.values()))
    for number, (av, counts) in enumerate(uses.items()):
        counters |= _malloc_info(heap, number, av, counts)
    return counters


def _mallinfo2(heap: Glibc, uses: list[dict[str, int]]) -> dict[str, int]:
    """Return the fields of mallinfo2, which sum over the arenas."""
    mp, total = heap.mp_[0], {name: sum(use[name] for use in uses) for name in uses[0]}
    arena = int(heap.arena.system_mem[: mp.narenas].sum())
    free = total["fast_size"] + total["rest_size"]
    return {
        "arena": arena,
        "ordblks": total["rest_count"],
        "smblks": total["fast_count"],
        "hblks": int(mp.n_mmaps),
        "hblkhd": int(mp.mmapped_mem),
        "usmblks": 0,
        "fsmblks": total["fast_size"],
        "uordblks": arena - free,
        "fordblks": free,
        "keepcost": int(chunksize(int(heap.arena[0].top))),
    }


def _malloc_info(heap: Glibc, number: int, av: int, use: dict[str, int]) -> dict[str, int]:
    """Return what malloc_info prints for one arena, the `number`-th of the list."""
    arena = heap.arena[av]
    total, mprotect, subheaps = int(arena.system_mem), int(arena.system_mem), 0
    if av:
        total, mprotect, subheaps = _aspace(heap, int(arena.top))
    counters = {
        "fast.count": use["fast_count"],
        "fast.size": use["fast_size"],
        "rest.count": use["rest_count"],
        # malloc_info sums heads. Except in top, a head includes the flag PREV_INUSE (1).
        "rest.size": use["rest_size"] + use["rest_count"] - 1,
        "system.current": int(arena.system_mem),
        "system.max": int(arena.max_system_mem),
        "aspace.total": total,
        "aspace.mprotect": mprotect,
    } | ({"aspace.subheaps": subheaps} if av else {})
    return {f"heap{number}.{name}": value for name, value in counters.items()}


def _aspace(heap: Glibc, top: int) -> tuple[int, int, int]:
    """Return three totals of an arena: bytes in use, bytes ever made accessible, number of heaps.

    The bytes are the sums of `size_` and of `mprotect_size`. `top` is in the newest heap.
    """
    slot, total, mprotect, count = int(slot_of(heap, top)), 0, 0, 0
    while slot >= 0:
        info = heap.heap_info[slot]
        total, mprotect = total + int(info.size_), mprotect + int(info.mprotect_size)
        slot, count = int(info.prev) - 1, count + 1
    return total, mprotect, count
