"""The design `tcmalloc`: gperftools 2.10, as libtcmalloc-minimal4 of Debian 12 is built.

This file connects the stages to allocsim's operations. A folder reads beside the library's source:
each file names the original's file, each kernel the original's function.

Every counter that the library reports has the library's value, to the byte, after every call;
scripts/verify-tcmalloc proves it. Unlike the library, the design checks what it is passed: see
`requests`.
"""

from __future__ import annotations

from collections.abc import Mapping

from allocsim.core import operations
from allocsim.core.jit import answers, code_record, kernel, link
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.core.raw import fill
from allocsim.core.system import answer_from_system
from allocsim.designs import Design
from allocsim.designs.tcmalloc.central_free_list import (
    insert_range,
    populate,
    release_list_to_spans,
)
from allocsim.designs.tcmalloc.check_caches import INVARIANTS
from allocsim.designs.tcmalloc.large_objects import (
    allocate_pages,
    allocate_stack_pages,
    free_pages,
    free_stack_pages,
    memalign_pages,
)
from allocsim.designs.tcmalloc.page_release import (
    delete_run,
    new_run,
    release_at_least_n_pages,
    release_to_system,
)
from allocsim.designs.tcmalloc.pagemap import ADDRESS_BITS, CLASS_BITS, entry_of
from allocsim.designs.tcmalloc.records import Tcmalloc
from allocsim.designs.tcmalloc.requests import (
    allocated_size,
    do_realloc,
    object_status,
    rounded_size,
)
from allocsim.designs.tcmalloc.size_classes import MAX_SIZE, PAGE, class_of
from allocsim.designs.tcmalloc.state import (
    PARAMETERS,
    new_state,
    placement,
    size_classes,
    start_up,
)
from allocsim.designs.tcmalloc.stats import caches, classes, fill_sample, native_counters
from allocsim.designs.tcmalloc.thread_cache import (
    allocate,
    deallocate,
    delete_cache,
    fetch_from_central_cache,
    list_too_long,
    scavenge,
)

answer_from_system(Tcmalloc)
answers(operations.inspect, Tcmalloc)(object_status)
answers(operations.usable_size, Tcmalloc)(allocated_size)
answers(operations.release, Tcmalloc)(release_to_system)
answers(operations.measure, Tcmalloc)(fill_sample)


@answers(operations.malloc, Tcmalloc)
@kernel
def malloc(heap: Tcmalloc, thread: int, request: int) -> int:
    """Allocate a small object from the thread's cache, or whole pages (do_malloc)."""
    if request > MAX_SIZE:
        return allocate_pages(heap, thread, request)
    return allocate(heap, thread, class_of(heap, request))


@answers(operations.calloc, Tcmalloc)
@kernel
def calloc(heap: Tcmalloc, thread: int, request: int) -> int:
    """Allocate, and clear the whole object, rounding included (do_calloc)."""
    address = operations.malloc(heap, thread, request)
    if address:
        fill(address, rounded_size(heap, request), 0)
    return address


@answers(operations.memalign, Tcmalloc)
@kernel
def memalign(heap: Tcmalloc, thread: int, alignment: int, request: int) -> int:
    """Allocate an aligned object (do_memalign).

    Up to a page, the size is rounded up to the alignment: the class of such a size has aligned
    objects.
    """
    if alignment > PAGE:
        return memalign_pages(heap, request, alignment)
    return operations.malloc(heap, thread, (max(request, 1) + alignment - 1) & -alignment)


@answers(operations.realloc, Tcmalloc)
@kernel
def realloc(heap: Tcmalloc, thread: int, address: int, request: int) -> int:
    """Resize an object, perhaps moving it (do_realloc)."""
    return do_realloc(heap, thread, address, request)


@answers(operations.free, Tcmalloc)
@kernel
def free(heap: Tcmalloc, thread: int, address: int) -> int:
    """Free an object into the calling thread's cache, or its pages (do_free)."""
    if address >> ADDRESS_BITS:
        return Status.UNKNOWN_POINTER
    size_class = entry_of(heap, address) & ((1 << CLASS_BITS) - 1)
    if size_class == 0:
        return free_pages(heap, address)
    deallocate(heap, thread, size_class, address)
    return Status.OK


@answers(operations.allocate_stack, Tcmalloc)
@kernel
def allocate_stack(heap: Tcmalloc, request: int) -> int:
    """Allocate a stack segment: whole pages that `free` does not accept."""
    return allocate_stack_pages(heap, request)


@answers(operations.free_stack, Tcmalloc)
@kernel
def free_stack(heap: Tcmalloc, address: int) -> int:
    """Free a stack segment."""
    return free_stack_pages(heap, address)


@answers(operations.thread_begin, Tcmalloc)
@kernel
def thread_begin(heap: Tcmalloc, thread: int) -> int:
    """Check that the tables have a row for the thread. Its first allocation creates its cache."""
    if thread >= len(heap.cache) - 1:
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return Status.OUT_OF_MEMORY
    return Status.OK


@answers(operations.thread_done, Tcmalloc)
@kernel
def thread_done(heap: Tcmalloc, thread: int) -> int:
    """Move the thread's objects to the central free lists and delete its cache."""
    return delete_cache(heap, thread)


@answers(operations.settle, Tcmalloc)
@kernel
def settle(heap: Tcmalloc) -> int:
    """Do nothing: no write is deferred."""
    return Status.OK


CODE = code_record(
    new_run, delete_run, release_at_least_n_pages,
    populate, release_list_to_spans, insert_range,
    fetch_from_central_cache, list_too_long, scavenge, delete_cache,
    allocate_pages, memalign_pages, allocate_stack_pages, free_pages, free_stack_pages,
    do_realloc,
)  # fmt: skip
"""The kernels that are called by their address."""


def create(memory: Reservation, threads: int, parameters: Mapping[str, int]) -> Tcmalloc:
    """Return a heap over `memory` for at most `threads` threads, in its startup state."""
    heap = new_state(memory, threads, parameters, CODE)
    link(heap)
    start_up(heap, parameters)
    return heap


DESIGN = Design(
    name="tcmalloc",
    state=Tcmalloc,
    create=create,
    size_classes=size_classes,
    classes=classes,
    invariants=INVARIANTS,
    zeroed=False,
    parameters=PARAMETERS,
    caches=caches,
    native_counters=native_counters,
    placement=placement,
)
