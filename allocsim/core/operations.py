"""The calls that every design answers, and the words for how a call can end.

Above `jit` and `records`; below the designs, which answer, and the driver and `Heap`, which call.
Each is declared here once; `@answers(malloc, State)` in a design's file gives its kernel. All
take the heap's state first; sizes are bytes, addresses are real, threads are small integers.
"""

from __future__ import annotations

from enum import IntEnum

from allocsim.core.jit import operation
from allocsim.core.records import HeapState, Sample


class Status(IntEnum):
    """How a call ended."""

    OK = 0
    UNKNOWN_POINTER = 1
    """Not on a page of a span in use: never allocated, or freed as a large object."""
    NOT_SPAN_START = 2
    """Inside a large object."""
    NOT_OBJECT_START = 3
    """Inside a small object, or in the tail of its span."""
    OUT_OF_MEMORY = 4
    """The reservation, or a table, is used up."""
    FROZEN = 5
    """The heap was frozen and had to ask the operating system."""
    UNSUPPORTED = 6
    """The design cannot do this: it has no such operation, or not with this alignment."""


@operation
def malloc(heap: HeapState, thread: int, request: int) -> int:
    """The address of a fresh object of at least `request` bytes; 0: see refusal(heap)."""
    raise NotImplementedError


@operation
def calloc(heap: HeapState, thread: int, request: int) -> int:
    """malloc of an object whose bytes are all zero."""
    raise NotImplementedError


@operation
def memalign(heap: HeapState, thread: int, alignment: int, request: int) -> int:
    """malloc of an object whose address is a multiple of `alignment`, a power of two."""
    raise NotImplementedError


@operation
def realloc(heap: HeapState, thread: int, address: int, request: int) -> int:
    """Resize a live object, perhaps moving it; 0 on refusal, and the object is as it was."""
    raise NotImplementedError


@operation
def free(heap: HeapState, thread: int, address: int) -> int:
    """Take an object back; a Status. Nothing changes unless it is OK."""
    raise NotImplementedError


@operation
def inspect(heap: HeapState, address: int) -> int:
    """The Status that free would give, without freeing; OK for a small object that is free."""
    raise NotImplementedError


@operation
def usable_size(heap: HeapState, address: int) -> int:
    """Bytes that the object at `address` really has; 0 when it is no object."""
    raise NotImplementedError


@operation
def allocate_stack(heap: HeapState, request: int) -> int:
    """The address of a stack segment of at least `request` bytes; 0: see refusal(heap)."""
    raise NotImplementedError


@operation
def free_stack(heap: HeapState, address: int) -> int:
    """Take a stack segment back; a Status."""
    raise NotImplementedError


@operation
def thread_begin(heap: HeapState, thread: int) -> int:
    """Give `thread`, the next number in order from 0, its cache; a Status."""
    raise NotImplementedError


@operation
def thread_done(heap: HeapState, thread: int) -> int:
    """Tell the design that `thread` has ended; a Status."""
    raise NotImplementedError


@operation
def release(heap: HeapState, length: int) -> int:
    """Give about `length` bytes of free pages back to the operating system; how many were."""
    raise NotImplementedError


@operation
def settle(heap: HeapState) -> int:
    """Write what the design would have written by now and the engine has put off; a Status.

    Nothing that any other call answers changes; what the kernel keeps in memory does.
    """
    raise NotImplementedError


@operation
def freeze(heap: HeapState) -> int:
    """From now on the heap may ask the operating system for nothing; a Status."""
    raise NotImplementedError


@operation
def refusal(heap: HeapState) -> int:
    """The Status of the last request that was refused; OK if none was."""
    raise NotImplementedError


@operation
def footprint(heap: HeapState) -> int:
    """Bytes obtained from the operating system and not given back, metadata included."""
    raise NotImplementedError


@operation
def measure(heap: HeapState, live: int, sample: Sample) -> int:
    """Fill all of `sample` (a SAMPLE) but its event; `live` is the bytes asked for. A Status."""
    raise NotImplementedError
