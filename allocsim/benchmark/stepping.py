"""Replay in steps: the driver's loop, with readings of the clock and the memory after each step.

A step is a number of consecutive events, and the notes (ends of threads) right after them. The same
kernel (a compiled function) serves three measurements. A replay for the footprint has up to about
2,000 steps, a replay for the time has one step, and a replay for latencies has a step per batch of
events. The kernel does not return to Python between the first event and the last.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.benchmark.meter import Meter, now, reach_time, resident
from allocsim.benchmark.subject import Subject
from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.operations import Status
from allocsim.core.out_of_line import address_of, by_address
from allocsim.core.records import SAMPLE, HeapState, Int64, Struct, Table
from allocsim.driver import DRIVER, OBJECT, Driver, Run, Stop, Touch, replay
from allocsim.errors import AllocsimError, Corruption, LimitExceeded
from allocsim.events import Event, Op, no_events
from allocsim.player import NEVER
from allocsim.text import counted, distinct_bytes, format_bytes


class Step(Struct):
    """A part of a replay, and the readings at its end."""

    event: Int64  # events (not notes) replayed by the end of the step
    begun: Int64  # CPU time in ns (see `meter.now`) when its first event began
    ended: Int64  # CPU time in ns when its last event was done
    live: Int64  # live bytes
    footprint: Int64  # bytes; 0 for a library
    resident: Int64  # anonymous RSS of the process, bytes, if the meter reads memory
    time: Int64  # after the step, `meter.reach_time` is called with this time in ns; 0: no call


_replay_at = by_address(replay)


def replay_steps(
    heap: HeapState, run: Run, events: Table[Event], steps: Table[Step], meter: Meter
) -> int:
    """Replay events to the end of the last step. Returns the number of steps that were done.

    If some steps were not done, driver.stop says why.

    `replay` is called by its address, so that all commands share one compiled copy for each design.
    """
    code = address_of(replay, heap, run, events, 0)
    return _replay_steps(code, heap, run, events, steps, meter)


@kernel
def _replay_steps(
    code: int, heap: HeapState, run: Run, events: Any, steps: Table[Step], meter: Meter
) -> int:
    """Replay the steps; `code` is the address of `replay`."""
    position, begin = 0, run.driver[0].events
    for index in range(len(steps)):
        _begin_step(run.driver[0], steps[index], begin, meter)
        position = _replay_at(code, heap, run, events, position)
        position = _replay_notes(code, heap, run, events, position)
        if not _end_step(heap, run.driver[0], steps[index], meter):
            return index
    return len(steps)


@kernel
def _begin_step(driver: Driver, step: Step, begin: int, meter: Meter) -> None:
    """Prepare the driver for a step, and read the clock.

    `begin` is the number of events that the driver had replayed before step 0.
    """
    driver.next_check = driver.due = begin + step.event  # there, `replay` stops with Stop.CHECK
    step.begun = now(meter)


@kernel
def _end_step(heap: HeapState, driver: Driver, step: Step, meter: Meter) -> bool:
    """Take the readings at the end of a step, then call `reach_time` if the step has a time.

    Returns False if the replay stopped before the end of the step.
    """
    step.ended = now(meter)
    step.live, step.footprint = driver.live, operations.footprint(heap)
    if meter.settings[0].memory:
        step.resident = resident(meter)
    if step.time:
        reach_time(meter, step.time)
    return driver.stop == Stop.CHECK


@kernel
def _replay_notes(code: int, heap: HeapState, run: Run, events: Any, position: int) -> int:
    """Replay the notes right after a step; return the position after them."""
    end = position
    while end < len(events) and events[end].op > Op.FREE:
        end += 1
    driver = run.driver[0]
    if end > position and driver.stop == Stop.CHECK:
        _replay_at(code, heap, run, events[:end], position)
        driver.stop = Stop.CHECK
    return end


def replay_all(
    subject: Subject, run: Run, events: Table[Event], steps: Table[Step], meter: Meter
) -> None:
    """Replay every step; raise LimitExceeded or Corruption if the replay stops before the end."""
    if replay_steps(subject.state, run, events, steps, meter) == len(steps):
        return
    driver = run.driver[0]
    stop, when = Stop(int(driver.stop)), f"after {counted(int(driver.events), 'event')}"
    if stop == Stop.LIMIT:
        peak, limit = distinct_bytes(int(driver.peak_footprint), int(driver.limit))
        raise LimitExceeded(f"exceeded the limit of {limit} with a footprint of {peak} {when}")
    if subject.heap and operations.refusal(subject.state) == Status.OVER_BOUND:
        limit = format_bytes(int(driver.limit))
        raise LimitExceeded(f"stopped {when}: the next request would exceed the limit of {limit}")
    if subject.heap and operations.refusal(subject.state) == Status.UNSUPPORTED:
        raise Corruption(f"stopped {when}: the design does not support this request")
    raise stop_error(stop, when)


def stop_error(stop: Stop, when: str) -> AllocsimError:
    """Return the error for a replay that stopped; `when` is text such as "after 5 events"."""
    if stop == Stop.LIMIT:
        return LimitExceeded(f"exceeded the limit, {when}")
    return Corruption(f"stopped {when}: {_STOPS.get(stop, stop.name)}")


_STOPS = {
    Stop.REFUSED: "the allocator is out of memory",
    Stop.BAD_EVENT: "the workload frees an object that is not live, or allocates an object that is "
    "already live",
    Stop.BAD_FREE: "the allocator rejected an object that it had allocated",
}


def steps_ending_at(events: Any) -> Table[Step]:
    """Return steps that end after the given numbers of events.

    The table of steps has been written to, so its pages are in memory.
    """
    steps = table(Step, max(len(events), 1))[: len(events)]
    steps.fill(0)
    steps.event = events
    return steps


def one_step(events: Table[Event]) -> Table[Step]:
    """Return a single step to the end of `events`, or an empty table if there are no events."""
    count = count_calls(events)
    return steps_ending_at([count] if count else [])


def new_run(objects: int, touch: Touch, limit: int = NEVER) -> Run:
    """Return the driver's records for `objects` objects, in memory that is mapped and touched."""
    run = Run(table(DRIVER, 1), table(OBJECT, objects), table(SAMPLE, 1), table(SAMPLE, 1))
    for record in run:
        record.fill(0)
    driver = run.driver[0]
    driver.limit, driver.touch = limit, touch
    driver.next_sample = driver.next_check = driver.due = NEVER
    return run


def count_calls(events: Table[Event]) -> int:
    """Return the number of events, not counting notes."""
    return int(np.count_nonzero(events.op <= Op.FREE))


def count_objects(events: Table[Event]) -> int:
    """Return the number of objects that the driver's table must hold, at least 1."""
    return int(events.object.max()) + 1 if len(events) else 1


def free_events(run: Run) -> Table[Event]:
    """Return events that free every live object."""
    live = np.flatnonzero(run.objects.address)
    events = no_events(len(live))
    events.object[:] = live
    events.op[:] = Op.FREE
    return events


@kernel
def peak_live(events: Table[Event], requests: np.ndarray, max_counted: int) -> tuple[int, int]:
    """Return the peak of the live bytes, and the number of events done when it is first reached.

    Only the first `max_counted` bytes of an object are counted. `requests` is scratch memory: an
    int64 for each object id, initially 0. The kernel keeps the counted bytes of live objects in it.
    """
    live, peak, when, events_done = 0, 0, 0, 0
    for index in range(len(events)):
        event = events[index]
        if event.op > Op.FREE:
            continue
        events_done += 1
        request = min(event.request, max_counted)
        live += request - requests[event.object]
        requests[event.object] = request
        if live > peak:
            peak, when = live, events_done
    return peak, when
