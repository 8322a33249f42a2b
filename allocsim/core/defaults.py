"""Default kernels for the operations that a design may omit.

A design must have kernels for malloc, free, usable_size and measure. The default kernels for the
other operations call these four, use the heap's System record, or do nothing. The bundled designs
choose a kernel for every operation explicitly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allocsim.core import operations, system
from allocsim.core.jit import answers, has_answer, kernel
from allocsim.core.operations import Status
from allocsim.core.raw import copy, fill
from allocsim.core.records import HeapState

MANDATORY: tuple[Callable[..., Any], ...] = (
    operations.malloc,
    operations.free,
    operations.usable_size,
    operations.measure,
)
"""The operations without a default."""


def unanswered(state: type) -> list[str]:
    """Return the names of the mandatory operations for which `state` has no kernel."""
    return [each.__name__ for each in MANDATORY if not has_answer(each, state)]


def answer_the_rest(state: type) -> None:
    """Register the default kernel of every operation for which `state` has no kernel."""
    for operation, default in DEFAULTS.items():
        if not has_answer(operation, state):
            answers(operation, state)(default)


@kernel
def calloc(heap: HeapState, thread: int, request: int) -> int:
    """Allocate with malloc and clear the object."""
    address = operations.malloc(heap, thread, request)
    if address:
        fill(address, request, 0)
    return address


@kernel
def memalign(heap: HeapState, thread: int, alignment: int, request: int) -> int:
    """Allocate with malloc; if the object is not aligned, free it and try a larger one.

    The second size is a power of two, at least `alignment` and `request`. Many designs align such
    an object to its size. If it is not aligned either, memalign fails with UNSUPPORTED.
    """
    address = operations.malloc(heap, thread, request)
    if address & (alignment - 1) == 0:  # true also for 0, the result of a failed malloc
        return address
    operations.free(heap, thread, address)
    larger = alignment
    while larger < request:
        larger <<= 1
    address = operations.malloc(heap, thread, larger)
    if address & (alignment - 1) == 0:
        return address
    operations.free(heap, thread, address)
    heap.system[0].refusal = Status.UNSUPPORTED
    return 0


@kernel
def realloc(heap: HeapState, thread: int, address: int, request: int) -> int:
    """Allocate a new object, copy the contents of the old one, and free the old one."""
    moved = operations.malloc(heap, thread, request)
    if moved:
        copy(moved, address, min(operations.usable_size(heap, address), max(request, 0)))
        operations.free(heap, thread, address)
    return moved


@kernel
def inspect(heap: HeapState, address: int) -> int:
    """Return OK for an address that has a usable size, otherwise UNKNOWN_POINTER."""
    return Status.OK if operations.usable_size(heap, address) else Status.UNKNOWN_POINTER


@kernel
def allocate_stack(heap: HeapState, request: int) -> int:
    """Fail: a design without a kernel for this operation has no stack segments."""
    heap.system[0].refusal = Status.UNSUPPORTED
    return 0


@kernel
def free_stack(heap: HeapState, address: int) -> int:
    """Return UNKNOWN_POINTER: there are no stack segments."""
    return Status.UNKNOWN_POINTER


@kernel
def thread_begin(heap: HeapState, thread: int) -> int:
    """Do nothing: the design needs no preparation for a new thread."""
    return Status.OK


@kernel
def thread_done(heap: HeapState, thread: int) -> int:
    """Do nothing: the design ignores the end of a thread."""
    return Status.OK


@kernel
def release(heap: HeapState, length: int) -> int:
    """Release nothing: the design returns no page to the operating system."""
    return 0


@kernel
def flush_deferred_writes(heap: HeapState) -> int:
    """Do nothing: the design defers no writes."""
    return Status.OK


@kernel
def prefetch(heap: HeapState, address: int, near: bool) -> int:
    """Do nothing: the design's records are small, or are next to the objects."""
    return Status.OK


DEFAULTS: dict[Callable[..., Any], Callable[..., Any]] = {
    operations.calloc: calloc,
    operations.memalign: memalign,
    operations.realloc: realloc,
    operations.inspect: inspect,
    operations.allocate_stack: allocate_stack,
    operations.free_stack: free_stack,
    operations.thread_begin: thread_begin,
    operations.thread_done: thread_done,
    operations.release: release,
    operations.flush_deferred_writes: flush_deferred_writes,
    operations.prefetch: prefetch,
    operations.freeze: system.freeze,
    operations.refusal: system.refusal,
    operations.footprint: system.footprint,
}
"""The default kernel of each operation that has one."""
