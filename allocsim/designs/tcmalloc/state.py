"""The state of a heap of the design `tcmalloc`: its parameters, its tables, its startup state.

If the library reads a parameter from an environment variable, the parameter has the variable's
name, in lower case and without the prefix TCMALLOC_.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from allocsim.core import operations
from allocsim.core.memory import Reservation, table
from allocsim.core.records import Counters, System, Table
from allocsim.core.size_classes import SizeClasses
from allocsim.core.system import count_metadata
from allocsim.core.tables import records
from allocsim.designs import Parameter
from allocsim.designs.table_parameter import KEY, table_parameter
from allocsim.designs.tcmalloc.cache_limit import MIN_THREAD_CACHE_SIZE
from allocsim.designs.tcmalloc.central_free_list import (
    INITIAL_TRANSFER_ENTRIES,
    MAX_TRANSFER_ENTRIES,
    max_cache_size,
)
from allocsim.designs.tcmalloc.class_rules import RULES, classes_of
from allocsim.designs.tcmalloc.metadata import ALLOC_INCREMENT, METADATA_ALLOC_CHUNK_SIZE
from allocsim.designs.tcmalloc.page_release import DEFAULT_RELEASE_DELAY
from allocsim.designs.tcmalloc.pagemap import LEAF_ROWS, LEAF_SPAN, rows_for
from allocsim.designs.tcmalloc.records import (
    CentralFreeList,
    FreeList,
    PageHeap,
    Span,
    SpanState,
    Static,
    Tcmalloc,
    ThreadCache,
    orphan,
)
from allocsim.designs.tcmalloc.size_classes import (
    MAX_SIZE,
    PAGE,
    SizeClass,
    class_index,
    row_of,
)
from allocsim.designs.tcmalloc.span import LIST_HEADS, MAX_PAGES

STARTUPS = ("preload", "dlopen", "none")
"""Startup states: the heap at main() in a program with the library linked or preloaded, the heap
after dlopen of the library, and an empty heap."""

MAX_OVERALL_THREAD_CACHE_SIZE = 1 << 30
"""Maximum of `max_total_thread_cache_bytes`, in bytes. The minimum is MIN_THREAD_CACHE_SIZE; the
library clamps other values."""

PARAMETERS: Mapping[str, Parameter] = {
    "max_total_thread_cache_bytes": Parameter(
        32 << 20, 0, 1 << 47, "bytes that all thread caches may hold, 512 KiB to 1 GiB"
    ),
    "transfer_num_obj": Parameter(
        32, 2, 1 << 16, "maximum number of objects in a batch; also changes the size classes"
    ),
    "release_rate": Parameter(1, 0, 1000, "pages released per 1000 freed; 0: none"),
    "aggressive_decommit": Parameter(0, 0, 1, "1: release pages as soon as they are freed"),
    "start_page": Parameter(
        1, 0, LEAF_ROWS - 1, "pages from a multiple of 2 GiB to the heap's start; affects memalign"
    ),
    "startup": Parameter(0, 0, 2, "startup state of the heap", names=STARTUPS),
    KEY: table_parameter(RULES),
}


def placement(parameters: Mapping[str, int]) -> tuple[int, int]:
    """Return (alignment, offset): a heap starts `offset` bytes after a multiple of `alignment`."""
    return LEAF_SPAN, parameters["start_page"] * PAGE


def start(extension: int) -> dict[str, int]:
    """Return the parameters of a heap that starts where the library's heap did.

    `extension` is the address of the library's MallocExtension, an object of 16 bytes. It is the
    first object of its size class, so it is at the start of a page. Only the class of 8 bytes has
    obtained a page earlier, so the heap starts one page before (see `_allocate_as_library`).
    """
    return {"start_page": (extension // PAGE - 1) % LEAF_ROWS}


def new_state(
    memory: Reservation, threads: int, parameters: Mapping[str, int], code: Any
) -> Tcmalloc:
    """Return a heap over `memory` that has obtained no page yet.

    `code` is the dtype of a record of addresses of compiled functions (see `core.out_of_line`).
    """
    classes = classes_of(parameters)
    heap = Tcmalloc(
        code=table(code, 1),
        system=table(System, 1),
        counters=table(Counters, 1),
        page_heap=table(PageHeap, 1),
        page_map=table(np.int64, rows_for(memory.length)),
        # A row for every page, so that the table never runs out of spans.
        span=table(Span, LIST_HEADS + 1 + memory.length // PAGE + 1),
        class_index=class_index(classes),
        size_class=table(CentralFreeList, len(classes) + 1),
        tc_slots=table(np.int64, len(classes) + 1, MAX_TRANSFER_ENTRIES),
        static=table(Static, 1),
        cache=table(ThreadCache, threads + 1),
        free_list=table(FreeList, threads + 1, len(classes) + 1),
    )
    heap.system[0].next = memory.address
    heap.system[0].limit = memory.address + memory.length // PAGE * PAGE
    _init_page_heap(heap, parameters)
    _init_lists(heap)
    heap.size_class[:] = _initial_classes(classes)
    total = parameters["max_total_thread_cache_bytes"]
    total = min(max(total, MIN_THREAD_CACHE_SIZE), MAX_OVERALL_THREAD_CACHE_SIZE)
    heap.static[0].overall_thread_cache_size = total
    heap.static[0].unclaimed_cache_space = total
    return heap


def _init_page_heap(heap: Tcmalloc, parameters: Mapping[str, int]) -> None:
    """Set up the page heap, with one chunk each for span, growth and cache records."""
    page_heap, chunks = heap.page_heap[0], 3 * ALLOC_INCREMENT
    count_metadata(heap, chunks)
    page_heap.area_left = METADATA_ALLOC_CHUNK_SIZE - chunks
    page_heap.leaves = 1
    page_heap.last_span = LIST_HEADS
    page_heap.release_index = MAX_PAGES
    page_heap.aggressive_decommit = parameters["aggressive_decommit"]


def _init_lists(heap: Tcmalloc) -> None:
    """Make every list of spans empty: link its head to itself (DLL_Init)."""
    heads = heap.span[1 : LIST_HEADS + 1]
    heads.state = SpanState.LIST
    heads.next = heads.previous = np.arange(1, LIST_HEADS + 1)


@cache
def _initial_classes(classes: tuple[SizeClass, ...]) -> Table[CentralFreeList]:
    """Return the table of classes.

    Class 0 is unused, but other classes can take its slots in the transfer cache.
    """
    rows = records(CentralFreeList, len(classes) + 1)
    unused = rows[0]
    unused.cache_size = unused.max_cache_size = INITIAL_TRANSFER_ENTRIES
    for number, source in enumerate(classes, start=1):
        info = rows[number]
        info.object_size, info.pages, info.objects, info.batch = source
        info.max_cache_size = max_cache_size(source.object_size, source.batch)
        info.cache_size = min(INITIAL_TRANSFER_ENTRIES, info.max_cache_size)
    return rows


def start_up(heap: Tcmalloc, parameters: Mapping[str, int]) -> None:
    """Bring a new heap into its startup state, then set its release rate.

    The library reads the rate only after its first allocations, so the rate is 0 during them. The
    first growth of the heap finds the scavenge counter at 0 and sets it, but releases nothing.
    """
    startup = STARTUPS[parameters["startup"]]
    if startup == "none":
        heap.page_heap[0].scavenge_counter = DEFAULT_RELEASE_DELAY
    else:
        _allocate_as_library(heap, startup == "preload")
    heap.page_heap[0].release_rate = parameters["release_rate"]


def _allocate_as_library(heap: Tcmalloc, preloaded: bool) -> None:
    """Make the calls that happen before main() (if `preloaded`) or before dlopen returns.

    The first cache is created before a thread can own one. No thread uses it later. One object
    is freed by a thread that has no cache yet.
    """
    lost = orphan(heap)
    if preloaded:
        operations.malloc(heap, lost, 72704)  # libstdc++ keeps this object for exceptions
    operations.free(heap, 0, operations.malloc(heap, lost, 1))
    operations.free(heap, 0, operations.malloc(heap, 0, 1))
    operations.malloc(heap, 0, 16)
    operations.malloc(heap, 0, 8)


def size_classes(parameters: Mapping[str, int]) -> SizeClasses:
    """Return the table of classes under these parameters."""
    classes = classes_of(parameters)
    rows, pages = class_index(classes), {info.object_size: info.pages for info in classes}

    def class_of(request: int) -> int:
        """Return the class of `request` bytes, or the number of classes + 1 if it is too large."""
        return int(rows[row_of(request)]) if request <= MAX_SIZE else len(classes) + 1

    return SizeClasses(
        class_of=class_of,
        object_size=lambda number: classes[number - 1].object_size,
        count=len(classes),
        chunk_of=lambda size: pages[size] * PAGE,
        page_size=PAGE,
        first=1,
    )
