"""Kernel of the trace statistics: calls, sizes, lifetimes, threads and peak live bytes.

The kernel visits each event (see `allocsim.events`) once. An invalid stream is accepted, and its
faults are counted; the caller decides which faults are errors. Memory is bounded by the highest
object id, not by the number of events.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import grown, records
from allocsim.events import MAX_THREADS, Event, Op

MAX_BYTES = 1 << 62
"""Value at which byte counts saturate. It is so far below 2**63 that one more request does not
cause an overflow."""

BINS = 64
"""Number of bins of a histogram. The bins end at powers of two: 0, 1, 2, 3-4, 5-8, 9-16, ..."""


class Fault(IntEnum):
    """Defect of an event that makes the stream invalid."""

    ALLOCATED_TWICE = 0
    """The event allocates an object that is live. The old object no longer counts as live."""
    FREED_TWICE = 1
    """The event frees an object that is not live. It changes neither lifetimes nor live bytes."""
    RESIZED_DEAD = 2
    """The event resizes an object that is not live. It counts as an allocation."""
    TOO_LARGE = 3
    """The event would raise the live bytes above MAX_BYTES. It counts as a request of 0 bytes."""


class Totals(Struct):
    """Totals of a stream. TraceStats has fields of the same names."""

    events: Int64  # calls so far, without notes (see `events.Op`)
    objects: Int64  # the highest object id plus one
    requested: Int64  # requested bytes, including those of reallocations
    live_objects: Int64  # objects that are live now
    live_bytes: Int64  # bytes that are live now
    peak_live: Int64  # maximum of live_bytes
    peak_event: Int64  # number of the event at which peak_live was first reached
    lifetimes: Int64  # sum of the lifetimes of the freed objects, in events
    longest: Int64  # longest lifetime of a freed object, in events
    frees_by_another: Int64  # frees by a thread other than TracedObject.thread


class BinCount(Struct):
    """A bin of a histogram."""

    count: Int64  # calls or objects in the bin
    bytes: Int64  # their requested bytes


class TracedObject(Struct):
    """State of an object."""

    request: Int64  # bytes requested by the last allocation or resize
    start: Int64  # number (from 1) of the event that allocated the object; 0 if not live
    thread: Int64  # the thread that last allocated or resized the object


class FaultCount(Struct):
    """Number of events with a fault."""

    count: Int64
    first: Int64  # number of the first such event


class StatsState(NamedTuple):
    """State of the statistics."""

    totals: Table[Totals]  # one row
    objects: Table[TracedObject]  # by object id
    operations: np.ndarray  # int64: number of calls or notes, by Op
    threads: np.ndarray  # uint8 by thread number: 1 if the thread has made a call
    sizes: Table[BinCount]  # by size: calls that allocate or resize
    lifetimes: Table[BinCount]  # by lifetime: freed objects
    faults: Table[FaultCount]  # by Fault


def new_state(objects: int = 1 << 12) -> StatsState:
    """Return the state before the first event."""
    return StatsState(
        records(Totals),
        records(TracedObject, objects),
        np.zeros(len(Op), np.int64),
        np.zeros(MAX_THREADS, np.uint8),
        records(BinCount, BINS),
        records(BinCount, BINS),
        records(FaultCount, len(Fault)),
    )


def with_room_for(state: StatsState, number: int) -> StatsState:
    """Return the same state with room for the object with id `number`."""
    return state._replace(objects=grown(state.objects, number + 1))


@kernel
def count_events(state: StatsState, events: Table[Event], start: int) -> int:
    """Count events[start:]; return the position of the first event that was not counted.

    Stops at an object id beyond the table.
    """
    totals = state.totals[0]
    position = start
    while position < len(events):
        event = events[position]
        if event.op <= Op.FREE:
            if event.object >= len(state.objects):
                break
            totals.events += 1
            totals.objects = max(totals.objects, int(event.object) + 1)
            state.threads[event.thread] = 1
            if event.op == Op.FREE:
                _free(state, totals, event)
            else:
                _allocate(state, totals, event)
        state.operations[event.op] += 1
        position += 1
    return position


@kernel
def _allocate(state: StatsState, totals: Totals, event: Event) -> None:
    """Count an allocation or reallocation."""
    traced = state.objects[event.object]
    # Only a live object can be resized, and only one that is not live can be allocated.
    if (traced.start != 0) != (event.op == Op.REALLOC):
        _fault(state, Fault.ALLOCATED_TWICE if traced.start else Fault.RESIZED_DEAD)
    if traced.start:
        totals.live_bytes -= traced.request
    else:
        totals.live_objects += 1
    if event.op != Op.REALLOC or not traced.start:
        traced.start = totals.events
    request = event.request
    if totals.live_bytes + request > MAX_BYTES:
        _fault(state, Fault.TOO_LARGE)
        request = 0
    traced.request = request
    traced.thread = event.thread
    _count_request(state, totals, request)


@kernel
def _count_request(state: StatsState, totals: Totals, request: int) -> None:
    """Count the requested bytes, and add them to the live bytes."""
    totals.live_bytes += request
    if totals.live_bytes > totals.peak_live:
        totals.peak_live = totals.live_bytes
        totals.peak_event = totals.events
    counted = min(request, MAX_BYTES - totals.requested)  # the total saturates
    totals.requested += counted
    size_bin = state.sizes[bin_of(request)]
    size_bin.count += 1
    size_bin.bytes += counted


@kernel
def _free(state: StatsState, totals: Totals, event: Event) -> None:
    """Count the free of an object."""
    traced = state.objects[event.object]
    if not traced.start:
        _fault(state, Fault.FREED_TWICE)
        return
    lifetime = totals.events - traced.start
    totals.lifetimes += lifetime
    totals.longest = max(totals.longest, lifetime)
    totals.frees_by_another += traced.thread != event.thread
    lifetime_bin = state.lifetimes[bin_of(lifetime)]
    lifetime_bin.count += 1
    lifetime_bin.bytes = min(lifetime_bin.bytes + traced.request, MAX_BYTES)
    totals.live_objects -= 1
    totals.live_bytes -= traced.request
    traced.start = 0


@kernel
def bin_of(value: int) -> int:
    """Return the bin of a number. Bins 0 to 4 are for the numbers 0, 1, 2, 3-4 and 5-8."""
    rest, shift_sum = value - 1, 0
    if value == 0:
        return 0
    # Find the position of the highest bit of `rest` in six steps, by bisection.
    for shift in (32, 16, 8, 4, 2, 1):
        if rest >> shift:
            rest >>= shift
            shift_sum += shift
    return shift_sum + 1 + (rest != 0)


@kernel
def _fault(state: StatsState, fault: int) -> None:
    """Count a Fault at the current event."""
    entry = state.faults[fault]
    entry.count += 1
    if entry.count == 1:
        entry.first = state.totals[0].events


@kernel
def count_live(state: StatsState, bins: Table[BinCount]) -> None:
    """Add every live object to the bin of its size."""
    for number in range(state.totals[0].objects):
        traced = state.objects[number]
        if traced.start:
            size_bin = bins[bin_of(traced.request)]
            size_bin.count += 1
            size_bin.bytes += traced.request
