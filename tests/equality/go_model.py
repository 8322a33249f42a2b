"""The design `go`, started in the state of a real Go process and replayed event by event."""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.designs.go.mgcpacer import commit, update_goal
from allocsim.designs.go.mgcscavenge import NO_GOAL
from allocsim.designs.go.mpagealloc import page_grow
from allocsim.designs.go.pallocsum import page_update
from allocsim.designs.go.records import BACKGROUND, FORCED, Go
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT
from tests.equality.go_runtime import COLUMNS, Recording

CHUNK_PAGES = 512


@kernel
def start_pages(heap: Go, chunks: int) -> None:
    """Add `chunks` chunks to the heap."""
    page_grow(heap, chunks * CHUNK_PAGES)


@kernel
def summarize(heap: Go, chunks: int) -> None:
    """Recompute all summaries and the pacer's goal."""
    page_update(heap, 0, chunks * CHUNK_PAGES)
    commit(heap)


@kernel
def set_other(heap: Go, other: int) -> None:
    """Set the size of the runtime's own memory, in bytes (see `Recording.changes`)."""
    known = heap.system[0].metadata + (heap.mheap[0].manual_pages << PAGE_SHIFT)
    heap.gc_controller[0].runtime_mapped = other - known


@kernel
def state_goal(heap: Go) -> None:
    """Compute the pacer's goal and trigger, as the real runtime does at each checkpoint."""
    update_goal(heap)


@kernel
def replay(
    heap: Any, events: np.ndarray, changes: np.ndarray, objects: np.ndarray, addresses: np.ndarray
) -> None:
    """Replay rows of (object, size), where size -1 is a free; fill in the address of each event.

    `changes` is `Recording.changes`: figures of the real process that the design cannot compute.
    """
    controller = heap.gc_controller[0]
    for place in range(len(events)):
        scanned, uncounted, other, swept = changes[place]
        if scanned:
            controller.scannable = scanned
            controller.runtime_allocated = controller.runtime_live - uncounted
        if other:
            set_other(heap, other)
            controller.runtime_growth = swept - other
        number, size = events[place, 0], events[place, 1]
        old = objects[number]
        if size < 0:
            operations.free(heap, 0, old)
            addresses[place] = objects[number] = 0
        elif old:
            addresses[place] = objects[number] = operations.realloc(heap, 0, old, size)
        else:
            addresses[place] = objects[number] = operations.malloc(heap, 0, size)


def start(heap: Go, recording: Recording) -> None:
    """Bring an empty heap into the state of the real process before the first event.

    Memory that the process has allocated so far becomes pages in use that belong to no span.
    """
    chunks, begin = len(recording.chunks), recording.start
    start_pages(heap, chunks)
    _add_records(heap, len(recording.changes))
    heap.palloc_bits[: chunks * 16] = recording.chunks[:, :16].ravel()
    for number, known in enumerate(recording.chunks[:, 16:].tolist()):
        record = heap.scav_chunk[number]
        record.in_use, record.last_in_use, record.gen, record.has_free = known
    mheap, system = heap.mheap[0], heap.system[0]
    mheap.search_addr = 0
    mheap.pages_in_use = begin["in_use"] // PAGE
    counted = begin["in_use"] + begin["free"] + begin["released"]
    mheap.manual_pages = chunks * CHUNK_PAGES - counted // PAGE
    system.footprint += system.released - begin["released"]
    system.released = begin["released"]
    mheap.page_cache_base = begin["cache_base"]
    mheap.page_cache, mheap.page_cache_scav = begin["cache"], begin["cache_scav"]
    _start_collector(heap, begin)
    summarize(heap, chunks)


def _add_records(heap: Go, events: int) -> None:
    """Add unused span records, so that the bytes of metadata stay the same during the replay.

    Each event needs at most one new record.
    """
    mheap, last = heap.mheap[0], min(events + 1, len(heap.mspan) - 1)
    heap.span_use[1:last].prev = np.arange(2, last + 1)
    mheap.unused_span, mheap.last_span, mheap.arenas = 1, last, 1 << 30


def _start_collector(heap: Go, begin: dict[str, int]) -> None:
    """Set the state of the pacer and the scavenger."""
    controller, scavenger = heap.gc_controller[0], heap.scavenger[0]
    controller.runtime_live = controller.heap_marked = begin["heap_marked"]
    controller.heap_live = begin["heap_live"]
    controller.scannable, controller.num_gc = begin["scannable"], begin["num_gc"]
    controller.allocated = begin["allocated"]
    set_other(heap, begin["mapped"] - begin["in_use"] - begin["free"])
    scavenger.gc_percent_goal = _goal(begin["scavenge_goal"])
    scavenger.memory_limit_goal = _goal(begin["limit_goal"])
    heap.scav_search[BACKGROUND].page = begin["cursor"]
    heap.scav_search[BACKGROUND].marked = begin["marked"]
    heap.scav_search[FORCED].page = begin["forced"]
    heap.scav_search[FORCED].marked = begin["forced_marked"]
    scavenger.free_hwm = begin["free_hwm"]
    if scavenger.free_hwm >= heap.mheap[0].chunks * CHUNK_PAGES:
        scavenger.free_hwm = -1
    scavenger.gen, scavenger.huge_pages = begin["gen"], begin["huge_page"] // PAGE


def _goal(value: int) -> int:
    """Convert a recorded goal of the scavenger; -1 is recorded if Go has no goal (2**64 - 1)."""
    return NO_GOAL if value == -1 else value


def row(heap: Go) -> list[int]:
    """Return the values of the COLUMNS in the design."""
    mheap, controller = heap.mheap[0], heap.gc_controller[0]
    system, scavenger = heap.system[0], heap.scavenger[0]
    background, forced = heap.scav_search
    state_goal(heap)
    in_use, released = int(mheap.pages_in_use) * PAGE, int(system.released)
    numbers = {
        "chunks": mheap.chunks,
        "in_use": in_use,
        "free": system.heap - in_use - released - mheap.manual_pages * PAGE,
        "released": released,
        "used_pages": checksum(heap, 0),
        "released_pages": checksum(heap, 8),
        "cache_base": mheap.page_cache_base,
        "cache": mheap.page_cache,
        "cache_scav": mheap.page_cache_scav,
        "num_gc": controller.num_gc,
        "heap_live": controller.heap_live,
        "heap_marked": controller.heap_marked,
        "heap_goal": controller.heap_goal,
        "trigger": controller.trigger,
        "scavenge_goal": scavenger.gc_percent_goal,
        "cursor": background.page,
        "free_hwm": scavenger.free_hwm,
        "gen": scavenger.gen,
        "scannable": controller.scannable,
        "tinyoffset": mheap.tinyoffset,
        "marked": background.marked,
        "mapped": system.footprint + controller.runtime_mapped,
        "allocated": controller.allocated,
        "limit_goal": scavenger.memory_limit_goal,
        "forced": forced.page,
        "forced_marked": forced.marked,
    }
    return [int(numbers.get(name, 0)) for name in COLUMNS]


def checksum(heap: Go, first: int) -> int:
    """Return the checksum of one bitmap of all chunks, as `AllocsimHash` computes it in Go.

    `first` is the bitmap's first word in a chunk: 0 for pages in use, 8 for released pages.
    """
    chunks = int(heap.mheap[0].chunks)
    words = heap.palloc_bits[: chunks * 16].reshape(chunks, 16)[:, first : first + 8]
    powers = np.full(words.size, 0x9E3779B97F4A7C15, np.uint64)
    powers[:1] = 1
    powers = np.multiply.accumulate(powers)[::-1]
    total = (words.astype(np.uint64).ravel() * powers).sum(dtype=np.uint64)
    return int(total.astype(np.int64))
