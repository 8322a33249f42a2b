"""The design `go2008`: the first pieces of Go's malloc, 17 November 2008.

It wires stages of the core: closed-form size classes, unbounded thread lists, chunk refills, a
splitting page heap that never joins, the trivial allocator. What that commit meant is built, not
its two slips (a refill lost all objects but one; the trivial allocator never counted down).
Its one rule: objects are always all zeros, because free clears them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import answers, kernel
from allocsim.core.memory import Reservation, table
from allocsim.core.operations import Status
from allocsim.core.raw import copy
from allocsim.core.records import Counters, Sample, System
from allocsim.core.size_classes import SizeClasses
from allocsim.core.system import answer_from_system, count_metadata
from allocsim.designs import ClassUse, Design
from allocsim.designs.go2008 import check
from allocsim.designs.go2008.account import account
from allocsim.designs.go2008.large_objects import (
    address_status,
    allocate_aligned_pages,
    allocate_pages,
    free_pages,
)
from allocsim.designs.go2008.metadata import take_metadata
from allocsim.designs.go2008.page_heap import LONG
from allocsim.designs.go2008.pagemap import (
    ENTRIES,
    NODE_BYTES,
    PAGE,
    PAGE_SHIFT,
    ROOT,
    nodes_for,
    span_of,
)
from allocsim.designs.go2008.records import (
    LARGE,
    Go2008,
    ObjectList,
    PageList,
    SizeClass,
    Span,
    SpanState,
    Static,
)
from allocsim.designs.go2008.size_classes import GO2008_CLASSES, go2008_class_of, go2008_object_size
from allocsim.designs.go2008.thread_cache import (
    chunk_bytes,
    pop_aligned_object,
    pop_object,
    push_object,
    refill,
    write_links,
)

SMALL = 32768
"""Requests below this many bytes are small; one of just this many would fit the last class, and is
large all the same."""

CACHE_BYTES = GO2008_CLASSES * 16
"""Metadata of one thread's lists, each a head and a length; what else ObjectList holds is the
engine's own, which puts off the links of fresh objects."""

SIZE_CLASSES = SizeClasses(
    class_of=go2008_class_of,
    object_size=go2008_object_size,
    count=GO2008_CLASSES,
    chunk_of=chunk_bytes,
    page_size=PAGE,
)


def create(memory: Reservation, threads: int, parameters: Mapping[str, int]) -> Go2008:
    """An empty heap over `memory`, for at most `threads` threads; there are no parameters."""
    heap = Go2008(
        system=table(System, 1),
        counters=table(Counters, 1),
        static=table(Static, 1),
        node=table(np.int64, nodes_for(memory.length), ENTRIES),
        span=table(Span, memory.length // PAGE + 2),
        page_list=table(PageList, LONG + 1),
        size_class=table(SizeClass, GO2008_CLASSES),
        object_list=table(ObjectList, threads, GO2008_CLASSES),
    )
    heap.system[0].next = memory.address
    heap.system[0].limit = memory.address + memory.length
    count_metadata(heap, NODE_BYTES)  # the root of the page map
    heap.static[0].nodes = ROOT + 1
    heap.size_class.object_size = SIZE_CLASSES.sizes()
    return heap


answer_from_system(Go2008)


@answers(operations.malloc, Go2008)
@kernel
def malloc(heap: Go2008, thread: int, request: int) -> int:
    """A small object from the thread's list, else whole pages."""
    if request >= SMALL:
        return allocate_pages(heap, request, SpanState.IN_USE)
    return _allocate_small(heap, thread, go2008_class_of(request))


@answers(operations.calloc, Go2008)
@kernel
def calloc(heap: Go2008, thread: int, request: int) -> int:
    """malloc: every object is all zeros."""
    return operations.malloc(heap, thread, request)


@answers(operations.memalign, Go2008)
@kernel
def memalign(heap: Go2008, thread: int, alignment: int, request: int) -> int:
    """malloc of the same class where an object lies right, else a larger class, else pages.

    The seed has no such call; so that it counts as malloc of its size, the thread's list is
    searched for an object at a multiple. If there is none, a class is taken whose size is a
    multiple: chunks begin on pages, so all its objects lie right.
    """
    if alignment > PAGE:
        return allocate_aligned_pages(heap, request, alignment)
    if request >= SMALL:
        return allocate_pages(heap, request, SpanState.IN_USE)
    size_class = go2008_class_of(request)
    if heap.object_list[thread, size_class].length or refill(heap, thread, size_class):
        address = pop_aligned_object(heap, thread, size_class, alignment)
        while address == 0 and heap.size_class[size_class].object_size & (alignment - 1):
            size_class += 1
        return address or _allocate_small(heap, thread, size_class)
    return 0


@answers(operations.realloc, Go2008)
@kernel
def realloc(heap: Go2008, thread: int, address: int, request: int) -> int:
    """A new object, a copy, and the old one freed, in that order."""
    moved = operations.malloc(heap, thread, request)
    if moved:
        copy(moved, address, min(operations.usable_size(heap, address), max(request, 0)))
        operations.free(heap, thread, address)
    return moved


@answers(operations.free, Go2008)
@kernel
def free(heap: Go2008, thread: int, address: int) -> int:
    """A small object goes onto the calling thread's list, a large one's pages to the page heap."""
    span = span_of(heap, address)
    record = heap.span[np.uint64(span)]
    status = address_status(record, address)
    if status == Status.OK:
        if record.size_class == LARGE:
            free_pages(heap, span)
        else:
            push_object(heap, thread, record.size_class, address)
    return status


@answers(operations.inspect, Go2008)
@kernel
def inspect(heap: Go2008, address: int) -> int:
    """The Status that free would give."""
    return address_status(heap.span[span_of(heap, address)], address)


@answers(operations.usable_size, Go2008)
@kernel
def usable_size(heap: Go2008, address: int) -> int:
    """The size of the object's class, or its pages."""
    record = heap.span[span_of(heap, address)]
    if address_status(record, address) != Status.OK:
        return 0
    if record.size_class == LARGE:
        return record.pages << PAGE_SHIFT
    return record.object_size


@answers(operations.allocate_stack, Go2008)
@kernel
def allocate_stack(heap: Go2008, request: int) -> int:
    """Whole pages, in a span of their own kind."""
    return allocate_pages(heap, max(request, 1), SpanState.STACK)


@answers(operations.free_stack, Go2008)
@kernel
def free_stack(heap: Go2008, address: int) -> int:
    """The segment's pages go to the page heap."""
    span = span_of(heap, address)
    record = heap.span[span]
    if record.state != SpanState.STACK:
        return Status.UNKNOWN_POINTER
    if record.address != address:
        return Status.NOT_SPAN_START
    free_pages(heap, span)
    return Status.OK


@answers(operations.thread_begin, Go2008)
@kernel
def thread_begin(heap: Go2008, thread: int) -> int:
    """Book the thread's lists."""
    if thread >= len(heap.object_list):
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return Status.OUT_OF_MEMORY
    if not take_metadata(heap, CACHE_BYTES):
        return heap.system[0].refusal
    heap.static[0].threads += 1
    return Status.OK


@answers(operations.thread_done, Go2008)
@kernel
def thread_done(heap: Go2008, thread: int) -> int:
    """Nothing: the seed knows no end of a thread, and its free objects stay on its lists."""
    return Status.OK


@answers(operations.release, Go2008)
@kernel
def release(heap: Go2008, length: int) -> int:
    """Nothing: this design gives no page back."""
    return 0


@answers(operations.settle, Go2008)
@kernel
def settle(heap: Go2008) -> int:
    """The links of all fresh objects, which a refill writes."""
    write_links(heap)
    return Status.OK


@answers(operations.measure, Go2008)
@kernel
def measure(heap: Go2008, live: int, sample: Sample) -> int:
    """Each part by a count of its own."""
    account(heap, live, sample)
    return Status.OK


@kernel
def _allocate_small(heap: Go2008, thread: int, size_class: int) -> int:
    """Pop the thread's list, filling it first if it is empty; 0: refused."""
    address = pop_object(heap, thread, size_class)
    if address == 0 and refill(heap, thread, size_class):
        address = pop_object(heap, thread, size_class)
    return address


def size_classes(parameters: Mapping[str, int]) -> SizeClasses:
    """The one table of this design."""
    return SIZE_CLASSES


def classes(heap: Go2008) -> list[ClassUse]:
    """What each size class holds now."""
    return [
        ClassUse(
            number, *(int(count[name]) for name in ("object_size", "spans", "in_use", "cached"))
        )
        for number, count in enumerate(heap.size_class)
    ]


DESIGN = Design(
    name="go2008",
    state=Go2008,
    create=create,
    size_classes=size_classes,
    classes=classes,
    invariants=(
        check.spans_tile_the_heap,
        check.page_map_matches_spans,
        check.null_records_are_untouched,
        check.page_lists_hold_the_free_spans,
        check.span_counts_agree,
        check.free_objects_are_counted_once,
        check.class_counts_agree,
        check.free_memory_is_zero,
    ),
    zeroed=True,
)
