"""Playing in steps: the driver's own loop, with a look at clock and memory between two steps.

Above `replay`, which plays, and `meter`, which reads; below what a child process measures. One
kernel serves for the footprint (a few hundred steps), the time (one step) and the latency (a step
for each batch). Its one rule: from the first event to the last nothing returns to Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.benchmark.meter import Meter, now, resident
from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.records import SAMPLE, HeapState
from allocsim.driver import DRIVER, OBJECT, Run, Stop, Touch, replay
from allocsim.events import Op, no_events
from allocsim.player import NEVER

STEP = np.dtype(
    [
        ("event", np.int64),  # the step ends after so many events of this play
        ("begun", np.int64),  # nanoseconds, when its first event began
        ("ended", np.int64),  # nanoseconds, when its last event was done
        ("live", np.int64),  # bytes asked for and not freed, then
        ("footprint", np.int64),  # a design's own, then; 0 for a library
        ("resident", np.int64),  # anonymous bytes of the process, then, if the meter reads memory
    ]
)


@kernel
def play_steps(heap: HeapState, run: Run, events: np.recarray, steps: Any, meter: Meter) -> int:
    """Play events to the end of the last step; how many steps were done, and driver.stop.

    A step that ends at NEVER is not begun.
    """
    driver, position, begin = run.driver[0], 0, run.driver[0].events
    for index in range(len(steps)):
        step = steps[index]
        driver.next_check = driver.due = begin + step.event
        step.begun = now(meter)
        position = replay(heap, run, events, position)
        step.ended = now(meter)
        step.live, step.footprint = driver.live, operations.footprint(heap)
        if meter.means[0].memory:
            step.resident = resident(meter)
        if driver.stop != Stop.CHECK:
            return index
    return len(steps)


def steps_to(ends: Any) -> Any:
    """Steps that end after so many events, in memory of their own that is touched already."""
    steps = table(STEP, max(len(ends), 1))[: len(ends)]
    steps.fill(0)
    steps.event = ends
    return steps


def new_run(objects: int, touch: Touch, limit: int = NEVER) -> Run:
    """A run for so many objects, in memory of its own that is touched already."""
    run = Run(table(DRIVER, 1), table(OBJECT, objects), table(SAMPLE, 1), table(SAMPLE, 1))
    for record in run:
        record.fill(0)
    driver = run.driver[0]
    driver.limit, driver.touch = limit, touch
    driver.next_sample = driver.next_check = driver.due = NEVER
    return run


def frees(run: Run) -> Any:
    """Events that free all that is live."""
    live = np.flatnonzero(run.objects.address)
    events = no_events(len(live))
    events.object[:] = live
    events.op[:] = Op.FREE
    return events


@kernel
def peak_of_live(events: np.recarray, requests: np.ndarray) -> int:
    """How many events are done when most bytes are live; `requests` has a zero for each object."""
    live, most, when = 0, 0, 0
    for index in range(len(events)):
        event = events[index]
        live += event.request - requests[event.object]
        requests[event.object] = event.request
        if live > most:
            most, when = live, index + 1
    return when
