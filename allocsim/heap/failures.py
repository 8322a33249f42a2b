"""The errors that Heap raises when an operation of the design returns a Status other than OK."""

from __future__ import annotations

from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.errors import AllocsimError, HeapFrozen, InputError, InvalidFree, OutOfMemory
from allocsim.text import counted, format_bytes

REASONS = {
    Status.UNKNOWN_POINTER: "it is in no span in use: it was never allocated, or has been freed",
    Status.NOT_SPAN_START: "it is inside a large object",
    Status.NOT_OBJECT_START: "it is inside a small object, or in the tail of its span",
}
"""Reasons why an address is not an object, by the Status of free() or inspect()."""


def failure(state: HeapState, design: str, reserve: int, size: int) -> AllocsimError:
    """Return the error for a request of `size` bytes that has just failed."""
    refusal = operations.refusal(state)
    if refusal == Status.UNSUPPORTED:
        return InputError(f"the design '{design}' does not support this request")
    if refusal == Status.FROZEN:
        return HeapFrozen(
            f"a request of {counted(size, 'byte')} needs more memory, and the heap is frozen"
        )
    return OutOfMemory(
        f"a request of {counted(size, 'byte')} does not fit in the reserved {format_bytes(reserve)}"
    )


def not_live(state: HeapState, address: int, freed: type[InvalidFree]) -> InvalidFree:
    """Return the error for an address that is not a live object.

    If the address is that of a freed object, the type of the error is `freed`, else InvalidFree. A
    freed large object cannot be distinguished from memory that never was an object, and also gives
    InvalidFree.
    """
    valid = 0 < address < 1 << 63  # a kernel takes the address as an int64
    status = operations.inspect(state, address) if valid else Status.UNKNOWN_POINTER
    if status == Status.OK:
        return freed(address, "the object has been freed")
    return InvalidFree(address, REASONS[Status(status)])


def rejected(address: int, design: str, status: int | None) -> AllocsimError:
    """Return the error for a free() of a live object that returned `status` instead of OK."""
    if status is not None and status in REASONS:
        return InvalidFree(address, REASONS[Status(status)])
    return InputError(
        f"design '{design}': free() of a live object returned {status!r}, not Status.OK"
    )
