"""malloc, free and related calls (malloc.c).

A request goes to `thread_cache` if it is small, and to `large_objects` otherwise.
"""

from __future__ import annotations

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.designs.go2008.large_objects import (
    allocate_aligned_large,
    allocate_large,
    free_large,
)
from allocsim.designs.go2008.pagemap import PAGE, PAGE_SHIFT, span_of
from allocsim.designs.go2008.records import LARGE, RECIPROCAL_SHIFT, Go2008, Span, SpanState
from allocsim.designs.go2008.size_classes import LARGE_SIZE, size_to_class
from allocsim.designs.go2008.thread_cache import (
    allocate_aligned_small,
    allocate_small,
    push_object,
)


@kernel
def malloc(heap: Go2008, thread: int, request: int) -> int:
    """Allocate a small object from the thread's list, or whole pages (alloc).

    Returns 0 on failure.
    """
    if request >= LARGE_SIZE:
        return allocate_large(heap, request, SpanState.IN_USE)
    return allocate_small(heap, thread, size_to_class(request))


@kernel
def calloc(heap: Go2008, thread: int, request: int) -> int:
    """Call malloc, whose objects are already all zeros."""
    return operations.malloc(heap, thread, request)


@kernel
def memalign(heap: Go2008, thread: int, alignment: int, request: int) -> int:
    """Allocate an object at a multiple of `alignment`; return 0 on failure.

    Go's malloc has no such call. Spans begin on page boundaries, so for an alignment of up to a
    page only small objects can be misaligned.
    """
    if alignment > PAGE:
        return allocate_aligned_large(heap, request, alignment)
    if request >= LARGE_SIZE:
        return allocate_large(heap, request, SpanState.IN_USE)
    return allocate_aligned_small(heap, thread, size_to_class(request), alignment)


@kernel
def free(heap: Go2008, thread: int, address: int) -> int:
    """Push a small object on the calling thread's list, or free a large one; return a Status."""
    span = span_of(heap, address)
    record = heap.span[np.uint64(span)]  # unsigned: a signed index costs a test (see `span_of`)
    status = pointer_status(record, address)
    if status == Status.OK:
        if record.size_class == LARGE:
            free_large(heap, span)
        else:
            push_object(heap, thread, record.size_class, address)
    return status


@kernel
def inspect(heap: Go2008, address: int) -> int:
    """Return the Status that `free` would return, without freeing anything."""
    return pointer_status(heap.span[span_of(heap, address)], address)


@kernel
def usable_size(heap: Go2008, address: int) -> int:
    """Return the bytes of the object at `address`, or 0 if none exists."""
    record = heap.span[span_of(heap, address)]
    if pointer_status(record, address) != Status.OK:
        return 0
    if record.size_class == LARGE:
        return record.pages << PAGE_SHIFT
    return record.object_size


@kernel
def pointer_status(record: Span, address: int) -> int:
    """Return OK if an object begins at `address` in the span `record`, or the Status of a failure.

    The three failures correspond to the messages "invalid pointer1" to "invalid pointer3" of Go's
    free. Go's free divides the offset by the object size, so it also accepts an address in the tail
    of a span. Here an address in the tail is not an object.
    """
    if record.state != SpanState.IN_USE:
        return Status.UNKNOWN_POINTER
    offset = address - record.address
    if record.size_class == LARGE:
        return Status.OK if offset == 0 else Status.NOT_SPAN_START
    index = offset * record.reciprocal >> RECIPROCAL_SHIFT
    if index * record.object_size != offset or index >= record.objects:
        return Status.NOT_OBJECT_START
    return Status.OK
