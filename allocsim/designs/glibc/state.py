"""The state of a heap of the design `glibc`: its parameters and its empty tables.

A parameter that the library reads from GLIBC_TUNABLES has the tunable's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from allocsim.core.jit import plain
from allocsim.core.memory import Reservation, table
from allocsim.core.records import Counters, System
from allocsim.designs import Parameter
from allocsim.designs.glibc.address_space import HEAP_MAX_SIZE, LISTS
from allocsim.designs.glibc.arenas import malloc_init_state
from allocsim.designs.glibc.bins import LIST_WORDS
from allocsim.designs.glibc.chunks import MINSIZE, PAGE, SIZE_SZ, request2size
from allocsim.designs.glibc.records import (
    Glibc,
    HeapInfo,
    MallocPar,
    MallocState,
    TcacheEntry,
    Thread,
)
from allocsim.designs.glibc.records import (
    Mapping as Range,
)
from allocsim.designs.glibc.tcache import (
    MAX_TCACHE_COUNT,
    MAX_TCACHE_SIZE,
    TCACHE_MAX_BINS,
    csize2tidx,
)

STARTUPS = ("none", "linked", "dlopen")
"""Values of the parameter `startup`: which code calls the modelled malloc in addition to the events
of the trace. "none": no other code. "linked": the whole process, so each new thread allocates its
dtv (see DTV). "dlopen": the rest of the process uses another malloc library, so the effect is that
of "none"."""

DTV = 272
"""Bytes that pthread_create allocates for the dynamic thread vector of a thread, if libc is the
program's only module with thread-local variables."""

MAX_FAST_SIZE = 160
"""Maximum of the parameter `mxfast`, in bytes."""

THRESHOLD, TOP_PAD = 128 << 10, 128 << 10
"""Bytes: the default of mmap_threshold and of trim_threshold (DEFAULT_MMAP_THRESHOLD), and the
default of top_pad (DEFAULT_TOP_PAD)."""

REGION = 1 << 30
"""A heap's reservation starts `start_page` pages after a multiple of this number of bytes."""

MAX_BYTES = 1 << 40
"""Maximum of `mmap_threshold`, `trim_threshold` and `top_pad`, in bytes, and of
`tcache_unsorted_limit`, in chunks."""

PARAMETERS: Mapping[str, Parameter] = {
    "tcache_count": Parameter(
        7, 0, MAX_TCACHE_COUNT, "maximum chunks of a size in a thread's cache"
    ),
    "tcache_max": Parameter(
        MAX_TCACHE_SIZE, 0, MAX_TCACHE_SIZE, "maximum request, in bytes, that is cached"
    ),
    "tcache_unsorted_limit": Parameter(
        0, 0, MAX_BYTES, "chunks that a call bins before it returns a cached one; 0: no limit"
    ),
    "mxfast": Parameter(128, 0, MAX_FAST_SIZE, "maximum request, in bytes, for fastbins"),
    "mmap_threshold": Parameter(
        THRESHOLD, 0, MAX_BYTES, "minimum chunk, in bytes, that gets its own mapping"
    ),
    "trim_threshold": Parameter(
        THRESHOLD, 0, MAX_BYTES, "bytes of top at which the heap is trimmed"
    ),
    "top_pad": Parameter(TOP_PAD, 0, MAX_BYTES, "bytes added to every growth"),
    "mmap_max": Parameter(65536, 0, (1 << 31) - 1, "maximum number of mappings"),
    "no_dyn_threshold": Parameter(
        0, 0, 1, "1: thresholds stay fixed, as when any of the four parameters above is set"
    ),
    "arena_max": Parameter(0, 0, 1 << 20, "maximum number of arenas; 0: 8 for each core"),
    "arena_test": Parameter(8, 0, 1 << 20, "number of arenas that is always allowed"),
    "cores": Parameter(8, 1, 1 << 16, "processors of the machine"),
    "start_page": Parameter(
        0, 0, REGION // PAGE - 1, "first page of the heap in a 1 GiB region; affects memalign"
    ),
    "startup": Parameter(
        0, 0, 2, "added malloc calls; linked: one for each new thread (dtv)", names=STARTUPS
    ),
}

FIXING = ("mmap_threshold", "trim_threshold", "top_pad", "mmap_max")
"""Parameters that, when set, make the thresholds fixed (do_set_mmap_threshold and others)."""


def placement(parameters: Mapping[str, int]) -> tuple[int, int]:
    """Return (alignment, offset): a heap starts `offset` bytes after a multiple of `alignment`."""
    return REGION, parameters["start_page"] * PAGE


def start(brk: int) -> dict[str, int]:
    """Return the parameters of a main arena that starts at `brk`, the initial break."""
    return {"start_page": brk % REGION // PAGE}


def new_state(memory: Reservation, threads: int, parameters: Mapping[str, int], code: Any) -> Glibc:
    """Return an empty heap over `memory`.

    `code` is the dtype of a record of kernel addresses (see `core.out_of_line`).
    """
    slots = memory.length // HEAP_MAX_SIZE + 2
    pages = memory.length // PAGE
    heap = Glibc(
        code=table(code, 1),
        system=table(System, 1),
        counters=table(Counters, 1),
        mp_=table(MallocPar, 1),
        arena=table(MallocState, slots),
        lists=table(np.int64, slots, LIST_WORDS),
        heap_info=table(HeapInfo, slots),
        thread=table(Thread, threads),
        tcache=table(TcacheEntry, threads * TCACHE_MAX_BINS),
        mapping=table(Range, pages + 2 + LISTS),
    )
    system = heap.system[0]
    system.next, system.limit = memory.address, memory.address + memory.length
    _set_parameters(heap, parameters)
    _init_main_arena(heap, memory)
    return heap


def _set_parameters(heap: Glibc, parameters: Mapping[str, int]) -> None:
    """Apply the tunables (ptmalloc_init)."""
    mp = heap.mp_[0]
    for name in ("mmap_threshold", "trim_threshold", "top_pad", "arena_max", "arena_test", "cores"):
        mp[name] = parameters[name]
    for name in ("tcache_count", "tcache_unsorted_limit"):
        mp[name] = parameters[name]
    mp.n_mmaps_max = parameters["mmap_max"]
    largest = plain(request2size)(parameters["tcache_max"])
    mp.tcache_bins = plain(csize2tidx)(largest) + 1
    # 16 if fastbins are off (set_max_fast). `_take_fast` needs the fastbin after the last used one.
    mp.global_max_fast = max((parameters["mxfast"] + SIZE_SZ) & -16, MINSIZE // 2)
    fixed = any(parameters[name] != PARAMETERS[name].default for name in FIXING)
    mp.no_dyn_threshold = fixed or parameters["no_dyn_threshold"]
    mp.dtv = DTV if STARTUPS[parameters["startup"]] == "linked" else 0


def _init_main_arena(heap: Glibc, memory: Reservation) -> None:
    """Set up the main arena, which exists from the start but has no memory."""
    mp, main = heap.mp_[0], heap.arena[0]
    mp.start, mp.length = memory.address, memory.length
    mp.first_slot = memory.address // HEAP_MAX_SIZE
    mp.narenas = main.attached_threads = 1
    main.binmap = heap.lists.ctypes.data
    plain(malloc_init_state)(heap, 0)
