"""The operations of a design, and the Status that they return.

`@answers(malloc, State)` registers a design's kernel for malloc. The first argument of each
operation is the heap's state, and its type decides which kernel runs. Sizes are in bytes. Addresses
are addresses of this process. Threads are numbered from 0 in order of their first call.
"""

from __future__ import annotations

from enum import IntEnum

from allocsim.core.jit import operation
from allocsim.core.records import HeapState, Sample


class Status(IntEnum):
    """The result of an operation."""

    OK = 0
    UNKNOWN_POINTER = 1
    """The address is in no span in use. It was never allocated, or its large object was freed."""
    NOT_SPAN_START = 2
    """The address is inside a large object."""
    NOT_OBJECT_START = 3
    """The address is inside a small object, or in the tail of a span of small objects."""
    OUT_OF_MEMORY = 4
    """The reservation or a table is full."""
    FROZEN = 5
    """The heap is frozen, and the request needs memory from the operating system."""
    UNSUPPORTED = 6
    """The design does not support the operation, or does not support it with this alignment."""
    OVER_BOUND = 7
    """The request exceeds the memory that the heap may use (System.bound)."""


@operation
def malloc(heap: HeapState, thread: int, request: int) -> int:
    """Return the address of a new object of at least `request` bytes, or 0 (see `refusal`)."""
    raise NotImplementedError


@operation
def calloc(heap: HeapState, thread: int, request: int) -> int:
    """Allocate an object that is all zeros; otherwise like malloc."""
    raise NotImplementedError


@operation
def memalign(heap: HeapState, thread: int, alignment: int, request: int) -> int:
    """Allocate an object at a multiple of `alignment`, a power of two; otherwise like malloc."""
    raise NotImplementedError


@operation
def realloc(heap: HeapState, thread: int, address: int, request: int) -> int:
    """Resize a live object and return its address; on failure return 0 and change nothing."""
    raise NotImplementedError


@operation
def free(heap: HeapState, thread: int, address: int) -> int:
    """Free an object. Returns a Status; unless it is OK, nothing changes."""
    raise NotImplementedError


@operation
def inspect(heap: HeapState, address: int) -> int:
    """Return the Status that `free` would return, but free nothing.

    The result is OK also for a small object that is already free.
    """
    raise NotImplementedError


@operation
def usable_size(heap: HeapState, address: int) -> int:
    """Return the allocated size of the object at `address`, or 0 if none exists."""
    raise NotImplementedError


@operation
def allocate_stack(heap: HeapState, request: int) -> int:
    """Return the address of a new stack segment of at least `request` bytes, or 0."""
    raise NotImplementedError


@operation
def free_stack(heap: HeapState, address: int) -> int:
    """Free a stack segment. Returns a Status."""
    raise NotImplementedError


@operation
def thread_begin(heap: HeapState, thread: int) -> int:
    """Prepare for the calls of `thread`, the next thread in order. Returns a Status."""
    raise NotImplementedError


@operation
def thread_done(heap: HeapState, thread: int) -> int:
    """Handle the end of `thread`. Returns a Status."""
    raise NotImplementedError


@operation
def release(heap: HeapState, length: int) -> int:
    """Release about `length` bytes of free pages to the OS; return the bytes released."""
    raise NotImplementedError


@operation
def flush_deferred_writes(heap: HeapState) -> int:
    """Carry out all deferred writes to the heap. Returns a Status.

    To be faster, a design may defer those writes of the modelled allocator on which no other
    operation depends. The writes matter only if resident memory is measured.
    """
    raise NotImplementedError


@operation
def prefetch(heap: HeapState, address: int, near: bool) -> int:
    """Prefetch the records that the object at `address` needs when it is freed. Returns a Status.

    If there are many objects, the driver calls this operation twice before an event: first with
    `near` False, then with `near` True. By the second call, the records that the first call
    prefetched should be in the CPU's caches. There need not be an object at `address`. The heap
    does not change.
    """
    raise NotImplementedError


@operation
def freeze(heap: HeapState) -> int:
    """Make every later request for memory from the OS fail. Returns a Status."""
    raise NotImplementedError


@operation
def refusal(heap: HeapState) -> int:
    """Return the Status of the last request that failed, or OK if none has failed."""
    raise NotImplementedError


@operation
def footprint(heap: HeapState) -> int:
    """Return heap - released + metadata, in bytes."""
    raise NotImplementedError


@operation
def measure(heap: HeapState, live: int, sample: Sample) -> int:
    """Fill all fields of `sample` except `event`. Returns a Status.

    `live` is the bytes requested and not yet freed.
    """
    raise NotImplementedError
