"""malloc, free and related calls (src/tcmalloc.cc).

The library trusts its caller. Here, a call with an address at which no object starts returns the
Status of the error, with one exception. In a span of small objects, `free` does not check whether
an object starts at the address, because the division by the object size would take time on every
call. `object_status` makes this check.
"""

from __future__ import annotations

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import copy, fill
from allocsim.designs.tcmalloc.large_objects import (
    allocate_pages,
    allocate_stack_pages,
    free_pages,
    free_stack_pages,
    memalign_pages,
    page_status,
)
from allocsim.designs.tcmalloc.pagemap import ADDRESS_BITS, CLASS_BITS, entry_of
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc
from allocsim.designs.tcmalloc.size_classes import MAX_SIZE, PAGE, PAGE_SHIFT, class_of
from allocsim.designs.tcmalloc.thread_cache import allocate, deallocate


@kernel
def malloc(heap: Tcmalloc, thread: int, request: int) -> int:
    """Allocate a small object from the thread's cache, or whole pages (do_malloc)."""
    if request > MAX_SIZE:
        return allocate_pages(heap, thread, request)
    return allocate(heap, thread, class_of(heap, request))


@kernel
def calloc(heap: Tcmalloc, thread: int, request: int) -> int:
    """Allocate an object and clear all of it, including the bytes added by rounding (do_calloc)."""
    address = operations.malloc(heap, thread, request)
    if address:
        fill(address, _rounded_size(heap, request), 0)
    return address


@kernel
def memalign(heap: Tcmalloc, thread: int, alignment: int, request: int) -> int:
    """Allocate an aligned object (do_memalign).

    For an alignment of up to a page, the size is rounded up to a multiple of the alignment. The
    objects in the class of the rounded size are aligned.
    """
    if alignment > PAGE:
        return memalign_pages(heap, request, alignment)
    return operations.malloc(heap, thread, (max(request, 1) + alignment - 1) & -alignment)


@kernel
def realloc(heap: Tcmalloc, thread: int, address: int, request: int) -> int:
    """Resize an object, perhaps moving it."""
    return do_realloc(heap, thread, address, request)


@kernel
def free(heap: Tcmalloc, thread: int, address: int) -> int:
    """Free a small object into the thread's cache, or the pages of a large one (do_free)."""
    if address >> ADDRESS_BITS:
        return Status.UNKNOWN_POINTER
    size_class = entry_of(heap, address) & ((1 << CLASS_BITS) - 1)
    if size_class == 0:
        return free_pages(heap, address)
    deallocate(heap, thread, size_class, address)
    return Status.OK


@kernel
def allocate_stack(heap: Tcmalloc, request: int) -> int:
    """Allocate a stack segment: whole pages that `free` does not accept."""
    return allocate_stack_pages(heap, request)


@kernel
def free_stack(heap: Tcmalloc, address: int) -> int:
    """Free a stack segment."""
    return free_stack_pages(heap, address)


@kernel
def object_status(heap: Tcmalloc, address: int) -> int:
    """Return OK if an object, allocated or free, starts at `address`; else the Status of the error.

    A free small object is OK. A free large object is an error, because its span is not in use.
    """
    if address >> ADDRESS_BITS:
        return Status.UNKNOWN_POINTER
    entry = entry_of(heap, address)
    size_class = entry & ((1 << CLASS_BITS) - 1)
    if size_class == 0:
        return page_status(heap, address, SpanState.IN_USE)
    info = heap.size_class[size_class]
    offset = address - heap.span[entry >> CLASS_BITS].address
    is_start = offset % info.object_size == 0 and offset < info.objects * info.object_size
    return Status.OK if is_start else Status.NOT_OBJECT_START


@kernel
def allocated_size(heap: Tcmalloc, address: int) -> int:
    """Return the allocated size of the object at `address`, or 0 if no object starts there."""
    if object_status(heap, address) != Status.OK:
        return 0
    entry = entry_of(heap, address)
    size_class = entry & ((1 << CLASS_BITS) - 1)
    if size_class:
        return heap.size_class[size_class].object_size
    return heap.span[entry >> CLASS_BITS].pages << PAGE_SHIFT


@kernel
def _rounded_size(heap: Tcmalloc, request: int) -> int:
    """Return the allocated size of an object of `request` bytes (tc_nallocx)."""
    if request > MAX_SIZE:
        return (request + PAGE - 1) & -PAGE
    return heap.size_class[class_of(heap, request)].object_size


@out_of_line
def do_realloc(heap: Tcmalloc, thread: int, address: int, request: int) -> int:
    """Resize an object, in place if the request fits and fills at least half of the object.

    An object that grows gets at least a quarter more bytes if that much can be allocated. The new
    object is allocated before the old one is freed. Returns 0 on failure, and the old object is
    then unchanged (do_realloc).
    """
    size = allocated_size(heap, address)
    if size // 2 <= request <= size:
        return address
    grown = size + size // 4
    moved = 0
    if size < request < grown:
        # With a quarter more, a buffer that grows in many small steps is copied rarely.
        moved = operations.malloc(heap, thread, grown)
    if moved == 0:
        moved = operations.malloc(heap, thread, request)
    if moved:
        copy(moved, address, min(size, request))
        operations.free(heap, thread, address)
    return moved
