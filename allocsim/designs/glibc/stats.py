"""Statistics of a glibc heap: its parts, and what mallinfo2 and malloc_info report.

A counter has the name and the meaning that the library gives it. malloc_info prints XML. A counter
of an element is named by the element and its type: `system.current` is `<system type="current">`. A
counter in a `<total>` element is named by the type and the attribute, as in `fast.count`. Each
arena has its own counters. The order is the library's: the main arena, then the others from the
newest to the oldest.
"""

from __future__ import annotations

from allocsim.core.jit import kernel, plain
from allocsim.core.operations import Status
from allocsim.core.out_of_line import pointer_to
from allocsim.core.records import Sample
from allocsim.core.system import fill_counts, fill_system
from allocsim.designs.glibc.chunks import chunksize
from allocsim.designs.glibc.heaps import slot_of
from allocsim.designs.glibc.records import Glibc
from allocsim.designs.glibc.tcache import cached_bytes


@kernel
def measure(heap: Glibc, live: int, sample: Sample) -> int:
    """Fill every field of `sample` except `event`; return a Status."""
    # `fill_sample` is compiled for pointers only.
    return fill_sample(pointer_to(heap), live, sample)


@kernel
def fill_sample(heap: Glibc, live: int, sample: Sample) -> int:
    """Fill every field of `sample` except `event`; return Status.OK.

    The parts are counted separately, so that their sum can be checked against the heap. The fields
    `spans_total`, `spans_free` and `spans_in_use` count chunks. A chunk is free if it is in a bin
    or is the top of an arena. Otherwise it counts as in use, even if it is in a tcache or a
    fastbin.
    """
    mp, counters = heap.mp_[0], heap.counters[0]
    occupied = mp.mmapped_mem + mp.stack_bytes
    sample.tail = sample.transfer = sample.central = sample.free_spans = sample.released = 0
    counters.free_spans = 0
    for av in range(mp.narenas):
        arena, top = heap.arena[av], chunksize(heap.arena[av].top)
        occupied += arena.used
        sample.tail += arena.fixed
        sample.transfer += arena.fast
        sample.central += arena.binned
        sample.free_spans += top
        counters.free_spans += arena.binned_chunks + (top > 0)
    sample.thread_cache = 0
    for thread in range(mp.threads):
        sample.thread_cache += cached_bytes(heap, thread)
    sample.live = live
    sample.rounding = occupied - sample.thread_cache - live
    fill_system(heap, sample)
    fill_counts(counters, sample)
    sample.spans_total += counters.splits - counters.coalesces + mp.n_mmaps
    sample.spans_in_use = sample.spans_total - sample.spans_free
    return Status.OK


def arenas(heap: Glibc) -> list[int]:
    """Return the numbers of all arenas, in the order of the library's list."""
    numbers = [0]
    while (following := int(heap.arena[numbers[-1]].next)) != 0:
        numbers.append(following)
    return numbers


def top_size(heap: Glibc, av: int) -> int:
    """Return the bytes of an arena's top."""
    return int(chunksize(int(heap.arena[av].top)))


def native_counters(heap: Glibc) -> dict[str, int]:
    """Return the fields of mallinfo2, and what malloc_info prints for each arena."""
    counters = _mallinfo2(heap)
    for number, av in enumerate(arenas(heap)):
        counters |= _malloc_info(heap, number, av)
    return counters


def _mallinfo2(heap: Glibc) -> dict[str, int]:
    """Return the fields of mallinfo2, which sum over the arenas (int_mallinfo)."""
    mp, all_arenas = heap.mp_[0], heap.arena[: heap.mp_[0].narenas]
    arena, fast = int(all_arenas.system_mem.sum()), int(all_arenas.fast.sum())
    free = fast + int(all_arenas.binned.sum())
    free += sum(top_size(heap, av) for av in range(len(all_arenas)))
    return {
        "arena": arena,
        "ordblks": int(all_arenas.binned_chunks.sum()) + len(all_arenas),
        "smblks": int(all_arenas.fast_chunks.sum()),
        "hblks": int(mp.n_mmaps),
        "hblkhd": int(mp.mmapped_mem),
        "usmblks": 0,
        "fsmblks": fast,
        "uordblks": arena - free,
        "fordblks": free,
        "keepcost": top_size(heap, 0),
    }


def _malloc_info(heap: Glibc, number: int, av: int) -> dict[str, int]:
    """Return what malloc_info prints for one arena, the `number`-th of the list."""
    arena = heap.arena[av]
    total, mprotect, subheaps = int(arena.system_mem), int(arena.system_mem), 0
    if av:
        total, mprotect, subheaps = _aspace(heap, int(arena.top))
    binned, binned_chunks = int(arena.binned), int(arena.binned_chunks)
    counters = {
        "fast.count": int(arena.fast_chunks),
        "fast.size": int(arena.fast),
        "rest.count": binned_chunks + 1,  # top counts too
        # The size that malloc_info adds for a chunk in a bin includes the flag PREV_INUSE (1).
        "rest.size": binned + binned_chunks + top_size(heap, av),
        "system.current": int(arena.system_mem),
        "system.max": int(arena.max_system_mem),
        "aspace.total": total,
        "aspace.mprotect": mprotect,
    } | ({"aspace.subheaps": subheaps} if av else {})
    return {f"heap{number}.{name}": value for name, value in counters.items()}


def _aspace(heap: Glibc, top: int) -> tuple[int, int, int]:
    """Return three totals of an arena: bytes in use, bytes ever made accessible, number of heaps.

    The bytes are the sums of `size_` and of `mprotect_size` over the arena's heaps. `top` is the
    address of the arena's top, which is in the newest heap.
    """
    slot, total, mprotect, count = int(plain(slot_of)(heap, top)), 0, 0, 0
    while slot >= 0:
        info = heap.heap_info[slot]
        total, mprotect = total + int(info.size_), mprotect + int(info.mprotect_size)
        slot, count = int(info.prev) - 1, count + 1
    return total, mprotect, count
