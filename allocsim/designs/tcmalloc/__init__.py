"""The design `tcmalloc`: gperftools 2.10, as libtcmalloc-minimal4 of Debian 12 is built.

It wires stages of the core: generated size classes, bounded caches, transfer slots, central lists
by span, a joining page heap that gives pages back, a page map of two levels. Its one rule: every
counter that the library reports has the library's value, to the byte, after every call. What it
does not take over is that the library trusts its caller: where free is passed something else than
an object, the Status says so, unless it lies inside a span of small objects, where only `inspect`
tells.
"""

from __future__ import annotations

from collections.abc import Mapping

from allocsim.core import operations
from allocsim.core.check import footprint_is_what_was_obtained
from allocsim.core.jit import answers, code_record, kernel, link, out_of_line
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.core.raw import copy, fill
from allocsim.core.records import Record
from allocsim.core.system import answer_from_system
from allocsim.designs import Design
from allocsim.designs.tcmalloc import check_caches
from allocsim.designs.tcmalloc.central_free_list import insert_range, populate, return_objects
from allocsim.designs.tcmalloc.large_objects import (
    allocate_aligned_run,
    allocate_run,
    allocate_stack_run,
    free_run,
    free_stack_run,
    run_status,
)
from allocsim.designs.tcmalloc.page_release import (
    DELAY,
    delete_run,
    new_run,
    release_bytes,
    release_pages,
)
from allocsim.designs.tcmalloc.pagemap import ADDRESS_BITS, CLASS_BITS, entry_of
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import LARGEST, PAGE, PAGE_SHIFT, class_of
from allocsim.designs.tcmalloc.state import (
    PARAMETERS,
    STARTUPS,
    Tcmalloc,
    new_state,
    orphan,
    placement,
    size_classes,
)
from allocsim.designs.tcmalloc.stats import caches, classes, native_counters, tiered_account
from allocsim.designs.tcmalloc.thread_cache import (
    empty_cache,
    end_cache,
    fetch,
    overflow,
    pop_object,
    push_object,
    trim,
)

answer_from_system(Tcmalloc)


@answers(operations.malloc, Tcmalloc)
@kernel
def malloc(heap: Tcmalloc, thread: int, request: int) -> int:
    """A small object from the thread's cache or the centre, else whole pages."""
    if request > LARGEST:
        return allocate_run(heap, thread, request)
    size_class = class_of(heap, request)
    return pop_object(heap, thread, size_class) or fetch(heap, thread, size_class)


@answers(operations.calloc, Tcmalloc)
@kernel
def calloc(heap: Tcmalloc, thread: int, request: int) -> int:
    """malloc, and all that the object really has is cleared."""
    address = operations.malloc(heap, thread, request)
    if address:
        fill(address, _rounded(heap, request), 0)
    return address


@answers(operations.memalign, Tcmalloc)
@kernel
def memalign(heap: Tcmalloc, thread: int, alignment: int, request: int) -> int:
    """malloc of a multiple of the alignment up to a page, since a class of such a size lies right;
    beyond, pages cut out of a longer run.
    """
    if alignment > PAGE:
        return allocate_aligned_run(heap, request, alignment)
    return operations.malloc(heap, thread, (max(request, 1) + alignment - 1) & -alignment)


@answers(operations.realloc, Tcmalloc)
@kernel
def realloc(heap: Tcmalloc, thread: int, address: int, request: int) -> int:
    """The same object while it fits and is half used; else a new one, grown by a quarter."""
    return resize(heap, thread, address, request)


@out_of_line
def resize(heap: Tcmalloc, thread: int, address: int, request: int) -> int:
    """Resize a live object, the new one allocated before the old one is freed; 0: refused."""
    size = operations.usable_size(heap, address)
    if size // 2 <= request <= size:
        return address
    grown = size + size // 4
    moved = 0
    if size < request < grown:
        moved = operations.malloc(heap, thread, grown)
    if moved == 0:
        moved = operations.malloc(heap, thread, request)
    if moved:
        copy(moved, address, min(size, request))
        operations.free(heap, thread, address)
    return moved


@answers(operations.free, Tcmalloc)
@kernel
def free(heap: Tcmalloc, thread: int, address: int) -> int:
    """A small object goes into the calling thread's cache, a large one's pages to the page heap."""
    if address >> ADDRESS_BITS:
        return Status.UNKNOWN_POINTER
    size_class = entry_of(heap, address) & ((1 << CLASS_BITS) - 1)
    if size_class == 0:
        return free_run(heap, address)
    push_object(heap, thread, size_class, address)
    return Status.OK


@answers(operations.inspect, Tcmalloc)
@kernel
def inspect(heap: Tcmalloc, address: int) -> int:
    """Whether an object begins at the address."""
    if address >> ADDRESS_BITS:
        return Status.UNKNOWN_POINTER
    entry = entry_of(heap, address)
    size_class = entry & ((1 << CLASS_BITS) - 1)
    if size_class == 0:
        return run_status(heap, address, SpanState.IN_USE)
    kind = heap.size_class[size_class]
    offset = address - heap.span[entry >> CLASS_BITS].address
    whole = offset % kind.object_size == 0 and offset < kind.objects * kind.object_size
    return Status.OK if whole else Status.NOT_OBJECT_START


@answers(operations.usable_size, Tcmalloc)
@kernel
def usable_size(heap: Tcmalloc, address: int) -> int:
    """The size of the object's class, or its pages."""
    if operations.inspect(heap, address) != Status.OK:
        return 0
    entry = entry_of(heap, address)
    size_class = entry & ((1 << CLASS_BITS) - 1)
    if size_class:
        return heap.size_class[size_class].object_size
    return heap.span[entry >> CLASS_BITS].pages << PAGE_SHIFT


@answers(operations.allocate_stack, Tcmalloc)
@kernel
def allocate_stack(heap: Tcmalloc, request: int) -> int:
    """Whole pages, in a span of their own kind."""
    return allocate_stack_run(heap, request)


@answers(operations.free_stack, Tcmalloc)
@kernel
def free_stack(heap: Tcmalloc, address: int) -> int:
    """The segment's pages go to the page heap."""
    return free_stack_run(heap, address)


@answers(operations.thread_begin, Tcmalloc)
@kernel
def thread_begin(heap: Tcmalloc, thread: int) -> int:
    """Nothing yet: a thread gets its cache when it first allocates."""
    if thread >= len(heap.cache) - 1:
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return Status.OUT_OF_MEMORY
    return Status.OK


@answers(operations.thread_done, Tcmalloc)
@kernel
def thread_done(heap: Tcmalloc, thread: int) -> int:
    """The thread's objects go to the centre, and what it could hold to the others."""
    return retire_cache(heap, thread)


@out_of_line
def retire_cache(heap: Tcmalloc, thread: int) -> int:
    """Empty the cache of `thread`, if it has one, and take it away; a Status."""
    if heap.cache[thread].alive:
        empty_cache(heap, thread)
        end_cache(heap, thread)
    return Status.OK


@answers(operations.release, Tcmalloc)
@kernel
def release(heap: Tcmalloc, length: int) -> int:
    """Whole free spans, until `length` bytes are given back; what was too much counts next time."""
    return release_bytes(heap, length)


@answers(operations.settle, Tcmalloc)
@kernel
def settle(heap: Tcmalloc) -> int:
    """Nothing: all is written when the library writes it."""
    return Status.OK


@answers(operations.measure, Tcmalloc)
@kernel
def measure(heap: Tcmalloc, live: int, sample: Record) -> int:
    """Each part by a count of its own; objects of the library's start count as rounding."""
    tiered_account(heap, live, sample)
    return Status.OK


@kernel
def _rounded(heap: Tcmalloc, request: int) -> int:
    """Bytes that an object of `request` bytes really has."""
    if request > LARGEST:
        return (request + PAGE - 1) & -PAGE
    return heap.size_class[class_of(heap, request)].object_size


CODE = code_record(
    new_run,
    delete_run,
    release_pages,
    populate,
    return_objects,
    insert_range,
    fetch,
    overflow,
    trim,
    retire_cache,
    resize,
    allocate_run,
    allocate_aligned_run,
    allocate_stack_run,
    free_run,
    free_stack_run,
)
"""The kernels that are called by their address."""


def create(memory: Reservation, threads: int, parameters: Mapping[str, int]) -> Tcmalloc:
    """A heap over `memory`, for at most `threads` threads, as `startup` says."""
    heap = new_state(memory, threads, parameters, CODE)
    link(heap)
    startup = STARTUPS[parameters["startup"]]
    if startup == "none":
        heap.page_heap[0].countdown = DELAY
    else:
        _begin(heap, startup == "preload")
    heap.page_heap[0].release_rate = parameters["release_rate"]
    return heap


def _begin(heap: Tcmalloc, preloaded: bool) -> None:
    """The calls that the library makes itself until main(), or until dlopen returns.

    The first cache is made before threads can have one, and is lost; one free happens while there
    is none. Pages are not given back yet, since the rate is read later: the first growth finds the
    countdown at 0 and only sets it.
    """
    lost = orphan(heap)
    if preloaded:
        operations.malloc(heap, lost, 72704)  # libstdc++ keeps it for exceptions
    operations.free(heap, 0, operations.malloc(heap, lost, 1))
    operations.free(heap, 0, operations.malloc(heap, 0, 1))
    operations.malloc(heap, 0, 16)
    operations.malloc(heap, 0, 8)


DESIGN = Design(
    name="tcmalloc",
    state=Tcmalloc,
    create=create,
    size_classes=size_classes,
    classes=classes,
    invariants=(footprint_is_what_was_obtained, *check_caches.INVARIANTS),
    zeroed=False,
    parameters=PARAMETERS,
    caches=caches,
    native_counters=native_counters,
    placement=placement,
)
