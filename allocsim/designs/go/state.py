"""The state of a heap of the design `go`: its parameters and its tables.

If Go reads a parameter from an environment variable, the parameter has the variable's name.
`freegc` and `greenteagc` are names of Go's experiments (GOEXPERIMENT).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allocsim.core.memory import Reservation, table
from allocsim.core.records import Counters, System
from allocsim.designs import Parameter
from allocsim.designs.go.class_rules import RULES, classes_of
from allocsim.designs.go.memory_limit import MEMORY_LIMIT
from allocsim.designs.go.metadata import RUNTIME_MAPPED
from allocsim.designs.go.mgcpacer import NO_LIMIT
from allocsim.designs.go.mgcscavenge import NO_GOAL, PERIOD
from allocsim.designs.go.mpagealloc import CHUNK_BYTES
from allocsim.designs.go.mpallocbits import CHUNK_WORDS
from allocsim.designs.go.pallocsum import LEVEL_SHIFT, LEVELS
from allocsim.designs.go.records import (
    GcController,
    Go,
    MCentral,
    MHeap,
    MSpan,
    PallocSum,
    ScavChunkData,
    Scavenger,
    SearchAddr,
    SpanSet,
    SpanUse,
)
from allocsim.designs.go.size_classes import PAGE, SizeClass, class_index, objects_of
from allocsim.designs.go.spans import BITS_SHIFT, TAKEN
from allocsim.designs.table_parameter import KEY, table_parameter
from allocsim.errors import InputError
from allocsim.text import counted

NEVER = 1 << 62
"""A number of events that no run reaches."""

PARAMETERS: Mapping[str, Parameter] = {
    "GOGC": Parameter(
        100, -1, 1 << 20, "growth of the live heap before a collection, in percent", off=-1
    ),
    "GOMEMLIMIT": MEMORY_LIMIT,
    "collect": Parameter(0, 0, 1 << 40, "events between two forced collections; 0: none"),
    "freegc": Parameter(0, 0, 1, "1: new objects reuse freed ones (runtimefreegc)"),
    "direct": Parameter(0, 0, 1, "1: a free takes effect at once; nothing is collected"),
    "scavenger": Parameter(
        PERIOD,
        -1,
        1 << 40,
        "events between scavenger steps; 0: all steps right after a collection",
        off=-1,
    ),
    "greenteagc": Parameter(1, 0, 1, "1: spans of small objects contain their mark bytes"),
    KEY: table_parameter(RULES),
}

HUGE_PAGES = (2 << 20) // PAGE
"""Pages of the heap in a huge page of the OS, which has 2 MiB."""


def placement(parameters: Mapping[str, int]) -> tuple[int, int]:
    """Return (alignment, offset): a heap starts at a multiple of 64 MiB, the size of an arena."""
    return 64 << 20, 0


def mode(parameters: Mapping[str, int]) -> str:
    """Return what a free means under these parameters, in one sentence."""
    if parameters["direct"]:
        return "A free takes effect at once; nothing is collected."
    when = []
    if pacer := _pacer(parameters):
        when.append(f"by the pacer ({pacer})")
    if parameters["collect"]:
        when.append(f"after every {counted(parameters['collect'], 'event')}")
    collected = "collected " + " and ".join(when) if when else "never collected"
    reused = "the next object of the class reuses the memory"
    effect = reused if parameters["freegc"] else "the object dies"
    return f"A free means that {effect}; dead objects are {collected}."


def _pacer(parameters: Mapping[str, int]) -> str:
    """Return the settings of the pacer that differ from "off"."""
    settings = {name: PARAMETERS[name].shown(parameters[name]) for name in ("GOGC", "GOMEMLIMIT")}
    return ", ".join(f"{name}={value}" for name, value in settings.items() if value != "off")


def new_state(memory: Reservation, threads: int, parameters: Mapping[str, int], code: Any) -> Go:
    """Return an empty heap over `memory`.

    `code` is the dtype of a record of kernel addresses (see `core.out_of_line`).
    """
    _require_collections(parameters)
    length = memory.length // CHUNK_BYTES * CHUNK_BYTES
    pages, chunks = length // PAGE, length // CHUNK_BYTES
    classes = classes_of(parameters)
    heap = Go(
        code=table(code, 1),
        system=table(System, 1),
        counters=table(Counters, 1),
        mheap=table(MHeap, 1),
        gc_controller=table(GcController, 1),
        scavenger=table(Scavenger, 1),
        scav_search=table(SearchAddr, 2),
        class_index=class_index(classes),
        mcentral=table(MCentral, len(classes) + 1),
        span_set=table(SpanSet, len(classes) + 1, 2),
        mspan=table(MSpan, pages + 2),
        span_use=table(SpanUse, pages + 2),
        spans=table(np.int64, max(pages, 1)),
        gc_bits=table(np.int64, (pages + 2) << BITS_SHIFT),
        tiny_parts=table(np.uint32, max(length >> 4, 1)),
        palloc_bits=table(np.int64, (chunks + 1) * 2 * CHUNK_WORDS),
        summary=table(PallocSum, LEVELS, chunks + (1 << LEVEL_SHIFT * LEVELS)),
        scav_chunk=table(ScavChunkData, chunks + 1),
    )
    heap.system[0].next = heap.mheap[0].start = memory.address
    heap.system[0].limit = memory.address + length
    _init_modes(heap, parameters)
    _init_classes(heap, classes, bool(parameters["greenteagc"]))
    return heap


def _require_collections(parameters: Mapping[str, int]) -> None:
    """Raise InputError if direct=1 is combined with a setting that it excludes."""
    limited = parameters["GOMEMLIMIT"] != NO_LIMIT
    if parameters["direct"] and (parameters["freegc"] or parameters["collect"] or limited):
        raise InputError(
            "direct=1 collects nothing: it cannot be combined with freegc, collect or GOMEMLIMIT"
        )


def _init_modes(heap: Go, parameters: Mapping[str, int]) -> None:
    """Set the modes that the parameters select."""
    mheap, controller, scavenger = heap.mheap[0], heap.gc_controller[0], heap.scavenger[0]
    mheap.taken = 0 if parameters["direct"] else TAKEN
    mheap.direct, mheap.freegc = parameters["direct"], parameters["freegc"]
    controller.gc_percent = -1 if parameters["direct"] else parameters["GOGC"]
    controller.memory_limit = parameters["GOMEMLIMIT"]
    controller.runtime_mapped = RUNTIME_MAPPED
    controller.collect = parameters["collect"]
    controller.next_collection = controller.due = parameters["collect"] or NEVER
    scavenger.enabled = parameters["scavenger"] >= 0
    scavenger.period = max(parameters["scavenger"], 0)
    scavenger.gc_percent_goal = scavenger.memory_limit_goal = NO_GOAL
    heap.scav_search.page = scavenger.free_hwm = -1
    scavenger.huge_pages = HUGE_PAGES


def _init_classes(heap: Go, classes: Sequence[SizeClass], greenteagc: bool) -> None:
    """Fill the table of classes. No span is cached yet."""
    heap.mcentral[0].nelems = 1  # a span of class 0 holds one large object
    for number, source in enumerate(classes, start=1):
        central = heap.mcentral[number]
        central.elemsize, central.npages = source
        central.nelems = objects_of(source, greenteagc)
        central.div_mul = -(-(1 << 32) // source.object_size)
        central.alloc_word = central.alloc_bit = -1
