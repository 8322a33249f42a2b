"""The state of a heap of the design `tcmalloc`: its tables, its parameters, and how it begins.

Below `tcmalloc`, which wires the stages that work on it. Its one rule: what the library reads from
its environment is a parameter here, under the library's own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.memory import Reservation, table
from allocsim.core.records import COUNTERS, SYSTEM, Counters, System, Table
from allocsim.core.size_classes import SizeClasses
from allocsim.core.system import count_metadata
from allocsim.designs import Parameter
from allocsim.designs.tcmalloc.central_free_list import MOST_SLOTS, START_SLOTS, most_slots
from allocsim.designs.tcmalloc.metadata import AREA, CHUNK
from allocsim.designs.tcmalloc.pagemap import COVERED, LEAF_ROWS, rows_for
from allocsim.designs.tcmalloc.records import (
    CACHE,
    CACHE_BUDGET,
    CACHED_LIST,
    CENTRAL_CLASS,
    LINKED_SPAN,
    PAGE_HEAP,
    SpanState,
)
from allocsim.designs.tcmalloc.size_classes import (
    LARGEST,
    PAGE,
    SpanClass,
    class_index,
    row_of,
    span_classes,
)
from allocsim.designs.tcmalloc.span import LIST_HEADS, LONG
from allocsim.designs.tcmalloc.thread_cache import LEAST

STARTUPS = ("preload", "dlopen", "none")
"""What a heap holds at first: what a program finds at main() when the library is linked or
preloaded, what it finds after dlopen, or nothing."""

MOST_CACHE_BYTES = 1 << 30
"""The library takes no more than this for all caches together, and no less than LEAST."""

PARAMETERS: Mapping[str, Parameter] = {
    "max_total_thread_cache_bytes": Parameter(
        32 << 20, 0, 1 << 47, "bytes that all thread caches may hold, 512 KiB to 1 GiB"
    ),
    "transfer_num_obj": Parameter(
        32, 2, 1 << 16, "objects that move at once; it changes the size classes too"
    ),
    "release_rate": Parameter(1, 0, 1000, "pages given back for 1000 that are freed; 0: none"),
    "aggressive_decommit": Parameter(0, 0, 1, "1: freed pages are given back at once"),
    "start_page": Parameter(
        1, 0, LEAF_ROWS - 1, "page of a 2 GiB region where the heap begins: memalign sees it"
    ),
    "startup": Parameter(0, 0, 2, "what the heap holds at first", names=STARTUPS),
}


class Tcmalloc(NamedTuple):
    """The state of a tcmalloc heap."""

    code: np.recarray  # one record: the addresses of the kernels out of line
    system: Table[System]  # one record: what was obtained from the OS
    counters: Table[Counters]  # one record
    page_heap: np.recarray  # one PAGE_HEAP
    page_map: np.ndarray  # the root, then the leaves of the page map: int64
    span: np.recarray  # LINKED_SPAN by span number; 0 is the null span, then the lists' heads
    class_index: np.ndarray  # class by row of sizes: uint8
    size_class: np.recarray  # CENTRAL_CLASS by class; 0 is none
    slot: np.ndarray  # by class and slot, the first object of a batch: int64 addresses
    budget: np.recarray  # one CACHE_BUDGET
    cache: np.recarray  # CACHE by thread; the last is of no thread, see `orphan`
    object_list: np.recarray  # CACHED_LIST by cache and class


def placement(parameters: Mapping[str, int]) -> tuple[int, int]:
    """Where a heap begins: so many bytes (the second) behind a multiple of the first."""
    return COVERED, parameters["start_page"] * PAGE


def orphan(heap: Tcmalloc) -> int:
    """The cache that the library makes before a program's threads have theirs, and then loses."""
    return len(heap.cache) - 1


def new_state(
    memory: Reservation, threads: int, parameters: Mapping[str, int], code: Any
) -> Tcmalloc:
    """A heap over `memory` that has obtained nothing yet; `code` is the dtype of its kernels."""
    classes = span_classes(parameters["transfer_num_obj"])
    heap = Tcmalloc(
        code=table(code, 1),
        system=table(SYSTEM, 1),
        counters=table(COUNTERS, 1),
        page_heap=table(PAGE_HEAP, 1),
        page_map=table(np.int64, rows_for(memory.length)),
        span=table(LINKED_SPAN, LIST_HEADS + 1 + memory.length // PAGE + 1),
        class_index=class_index(classes),
        size_class=table(CENTRAL_CLASS, len(classes) + 1),
        slot=table(np.int64, len(classes) + 1, MOST_SLOTS),
        budget=table(CACHE_BUDGET, 1),
        cache=table(CACHE, threads + 1),
        object_list=table(CACHED_LIST, threads + 1, len(classes) + 1),
    )
    heap.system[0].next = memory.address
    heap.system[0].limit = memory.address + memory.length // PAGE * PAGE
    count_metadata(heap, 3 * CHUNK)  # of span records, growths and caches
    heap.page_heap[0].area_left = AREA - 3 * CHUNK
    heap.page_heap[0].leaves = 1
    heap.page_heap[0].numbered = LIST_HEADS
    heap.page_heap[0].release_index = LONG
    heap.page_heap[0].aggressive = parameters["aggressive_decommit"]
    total = parameters["max_total_thread_cache_bytes"]
    heap.budget[0].total = min(max(total, LEAST), MOST_CACHE_BYTES)
    heap.budget[0].unclaimed = heap.budget[0].total
    _lay_out_lists(heap)
    _lay_out_classes(heap, classes)
    return heap


def _lay_out_lists(heap: Tcmalloc) -> None:
    """Make every list of spans empty: a circle of its head alone."""
    heads: Any = heap.span[1 : LIST_HEADS + 1]
    heads.state = SpanState.LIST
    heads.next = heads.previous = np.arange(1, LIST_HEADS + 1)


def _lay_out_classes(heap: Tcmalloc, classes: list[SpanClass]) -> None:
    """Fill the table of classes, and give each its transfer slots; class 0 has some to lend."""
    heap.size_class[0].slots = heap.size_class[0].most_slots = START_SLOTS
    for number, found in enumerate(classes, start=1):
        kind = heap.size_class[number]
        kind.object_size, kind.pages, kind.objects, kind.batch = found
        kind.most_slots = most_slots(found.object_size, found.batch)
        kind.slots = min(START_SLOTS, kind.most_slots)


def size_classes(parameters: Mapping[str, int]) -> SizeClasses:
    """The table of classes under `transfer_num_obj`."""
    classes = span_classes(parameters["transfer_num_obj"])
    rows, chunk = class_index(classes), {found.object_size: found for found in classes}

    def class_of(request: int) -> int:
        """The class of `request` bytes; one more than there are beyond the largest."""
        return int(rows[row_of(request)]) if request <= LARGEST else len(classes) + 1

    return SizeClasses(
        class_of=class_of,
        object_size=lambda number: classes[number - 1].object_size,
        count=len(classes),
        chunk_of=lambda size: chunk[size].pages * PAGE,
        page_size=PAGE,
        first=1,
    )
