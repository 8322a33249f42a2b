"""The errors with which a replay ends, by the reason why the replay loop stopped."""

from __future__ import annotations

from typing import Any

from allocsim.core import operations
from allocsim.core.available_memory import MemoryBound
from allocsim.core.operations import Status
from allocsim.driver import Run, Stop
from allocsim.errors import (
    AllocsimError,
    Corruption,
    EnvironmentLacks,
    HeapFrozen,
    InputError,
    LimitExceeded,
    OutOfMemory,
)
from allocsim.events import MAX_THREADS, Op
from allocsim.heap import Heap
from allocsim.text import counted, distinct_bytes, format_bytes

FAILURES = {
    Stop.BAD_FREE: "free failed for an object that the heap had allocated",
    Stop.PATTERN: "the object's fill pattern was overwritten",
    Stop.NOT_ZERO: "the new object is not all zeros",
    Stop.MISALIGNED: "the new object is not aligned as the event demands",
}
"""Failures of an allocator, by the reason why the loop stopped."""


def replay_error(stop: Stop, event: Any, heap: Heap, run: Run, bound: MemoryBound) -> AllocsimError:
    """Return the error for `stop` at `event`; `bound` applies if the user has set no limit."""
    where = _where(stop, event, run)
    if stop == Stop.LIMIT:
        return _limit(run, bound)
    if stop in (Stop.REFUSED, Stop.THREADS):
        return _refusal(where, heap, run, bound)
    if stop == Stop.BAD_EVENT:
        return InputError(
            f"{where} frees or resizes an object that is not live, or allocates an object that is "
            "already live"
        )
    return Corruption(f"{where}: {FAILURES[stop]}")


def _where(stop: Stop, event: Any, run: Run) -> str:
    """Return the number of `event`, its object, thread and size, for an error message.

    For a free event, which has no size, the size of its object is given if the object is live.
    """
    about = f"object {event.object}, thread {event.thread}"
    if event.op != Op.FREE:
        about += f", {counted(event.request, 'byte')}"
    elif stop != Stop.BAD_EVENT:
        about += f", {counted(run.objects.request[event.object], 'byte')}"
    return f"event {run.driver[0].events + 1} ({about})"


def _limit(run: Run, bound: MemoryBound) -> AllocsimError:
    """Return the error for a footprint above the user's limit, or above `bound` if none is set."""
    driver = run.driver[0]
    after = f"after {counted(int(driver.events), 'event')}"
    if driver.limit == bound.heap:
        footprint, limit = bound.exceeded_by(int(driver.peak_footprint))
        return OutOfMemory(f"the footprint, {footprint} {after}, is more than {limit}")
    footprint, limit = distinct_bytes(int(driver.peak_footprint), int(driver.limit))
    return LimitExceeded(f"the footprint, {footprint}, exceeded the limit of {limit} {after}")


def _refusal(where: str, heap: Heap, run: Run, bound: MemoryBound) -> AllocsimError:
    """Return the error for a failed allocation."""
    refusal = operations.refusal(heap.state)
    if refusal == Status.UNSUPPORTED:
        return InputError(f"{where}: the design '{heap.design.name}' does not support this call")
    if refusal == Status.FROZEN:
        return HeapFrozen(f"{where} needs more memory, and the heap is frozen")
    if refusal == Status.OVER_BOUND:
        return _too_large(where, int(run.driver[0].limit), bound)
    if run.driver[0].threads >= MAX_THREADS:
        return EnvironmentLacks(f"{where}: more than {MAX_THREADS} threads")
    reserved = format_bytes(heap.memory.length)
    return OutOfMemory(
        f"{where} does not fit in the reserved address space ({reserved}): "
        "reserve more with --reserve"
    )


def _too_large(where: str, limit: int, bound: MemoryBound) -> AllocsimError:
    """Return the error for a single request that exceeds the limit, or `bound` if none is set."""
    if limit == bound.heap:
        return OutOfMemory(f"{where} needs more than {bound}")
    return LimitExceeded(f"{where} exceeds the limit of {format_bytes(limit)}")
