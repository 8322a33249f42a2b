"""The memory that a subject takes for a workload: measured in a fresh process, in one play.

Above `steps`; started by `child`. The driver plays and reads the resident memory at some hundreds
of points without returning to Python. The growth counts from before the library was loaded. Its
one rule: the driver's own arrays are mapped and touched before that, so they are no part of it.
"""

from __future__ import annotations

import contextlib
import resource
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from allocsim.benchmark.figures import Memory
from allocsim.benchmark.meter import Meter, open_meter, resident, status_bytes
from allocsim.benchmark.proof import require_served
from allocsim.benchmark.stepping import frees, new_run, peak_of_live, play_steps, steps_to
from allocsim.benchmark.subject import Subject
from allocsim.core import operations
from allocsim.core.memory import table
from allocsim.core.operations import Status
from allocsim.driver import Run, Stop, Touch
from allocsim.errors import Corruption, LimitExceeded
from allocsim.events import Op, no_events
from allocsim.text import counted, format_bytes

POINTS = 400
"""At how many events the memory is read, evenly, besides the peak of live bytes."""

FEWER = 40
"""The same where reading it takes long: see `meter`."""

SMALL_CALLS = 1000
"""Pairs of malloc and free after that, in which a library may give back what it is done with."""


class Play(NamedTuple):
    """What is ready before the subject is there."""

    events: Any
    run: Run
    steps: Any
    meter: Meter


def prepare(events: Any, touch: Touch, limit: int) -> Play:
    """Everything that the measurement needs, made and touched."""
    objects = int(events.object.max()) + 1 if len(events) else 1
    requests, meter = table(np.int64, objects), open_meter()
    points = min(POINTS if meter.means[0].swift else FEWER, len(events))
    ends = np.linspace(0, len(events), points + 1).astype(np.int64)[1:]
    ends = np.union1d(ends, peak_of_live(events, requests))
    steps = steps_to(ends[ends > 0])
    return Play(events, new_run(objects, touch, limit), steps, meter)


def measure(play: Play, subject: Subject, before: int, later: float) -> Memory:
    """Play and measure; `before` is what was resident before the subject was loaded.

    `later` is how many seconds the program is idle before what is kept is measured once more.
    """
    started = resident(play.meter) - before
    water = _reset_high_water()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    play_all(subject, play.run, play.events, play.steps, play.meter)
    _settle(subject, play)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    counters, high = subject.counters(), _growth_since(water)
    figures = _at_peak(subject, play, before) | _at_end(subject, play, before)
    kept = _kept(subject, play, before, later)
    if subject.library:
        require_served(subject.library)
    return Memory(
        **figures,
        started=started,
        high_water=None if high is None else high + started,
        faults=faults,
        kept=kept[0],
        kept_later=kept[1],
        counters=counters,
    )


def play_all(subject: Subject, run: Run, events: Any, steps: Any, meter: Meter) -> None:
    """Play every step; an error that says what the subject did not do."""
    done = play_steps(subject.state, run, events, steps, meter)
    if done < len(steps):
        stop, events_done = Stop(int(run.driver[0].stop)), int(run.driver[0].events)
        if stop == Stop.LIMIT:
            peak = format_bytes(int(run.driver[0].peak_footprint))
            raise LimitExceeded(
                f"passed the limit with {peak} after {counted(events_done, 'event')}"
            )
        reason = _STOPS.get(stop, stop.name)
        if subject.heap and operations.refusal(subject.state) == Status.UNSUPPORTED:
            reason = "the design does not support this request"
        raise Corruption(f"stopped after {counted(events_done, 'event')}: {reason}")


_STOPS = {
    Stop.REFUSED: "it had no memory left to give",
    Stop.BAD_EVENT: "the workload frees what is not live, or allocates what is",
    Stop.BAD_FREE: "it did not take back an object that it had handed out",
}


def _figures(subject: Subject, steps: Any, before: int) -> Any:
    """The footprint at each step: a design's own, or the resident growth."""
    return steps.footprint if subject.heap else steps.resident - before


def _at_peak(subject: Subject, play: Play, before: int) -> dict[str, int]:
    """The figures of the moment when the footprint first reached its peak."""
    driver, grown = play.run.driver[0], play.steps.resident - before
    found = {
        "peak_live": int(driver.peak_live),
        "resident_peak": int(grown.max(initial=0)),
    }
    if subject.heap:  # the driver looks after every event
        peak = play.run.peak[0]
        moment = int(peak.footprint), int(peak.event), int(peak.live)
    elif len(grown):
        step = play.steps[int(grown.argmax())]
        moment = int(grown.max()), int(step.event), int(step.live)
    else:
        moment = 0, 0, 0
    return found | dict(zip(("peak", "peak_event", "live_at_peak"), moment, strict=True))


def _at_end(subject: Subject, play: Play, before: int) -> dict[str, int]:
    """The figures after the last event."""
    if not len(play.steps):
        return {"end": 0, "live_at_end": 0, "resident_end": 0}
    last = play.steps[-1:]
    return {
        "end": int(_figures(subject, last, before)[0]),
        "live_at_end": int(last.live[0]),
        "resident_end": int(last.resident[0]) - before,
    }


def _settle(subject: Subject, play: Play) -> None:
    """Have a design do what it has put off and its original did at once, before the last look."""
    if subject.heap and len(play.steps):
        operations.settle(subject.state)
        play.steps[-1].resident = resident(play.meter)


def _kept(subject: Subject, play: Play, before: int, later: float) -> tuple[int, int]:
    """The footprint when all is freed, at once and later."""
    held = resident(play.meter)
    last, pairs = frees(play.run), _pairs(SMALL_CALLS)
    steps = steps_to([len(last)] if len(last) else []), steps_to([len(pairs)])
    before += resident(play.meter) - held  # these are the driver's own
    play_all(subject, play.run, last, steps[0], play.meter)
    at_once = _now(subject, play.meter, before)
    time.sleep(later)
    play_all(subject, play.run, pairs, steps[1], play.meter)
    return at_once, _now(subject, play.meter, before)


def _now(subject: Subject, meter: Meter, before: int) -> int:
    """The footprint now."""
    if subject.heap:
        return int(operations.footprint(subject.state))
    return int(resident(meter)) - before


def _pairs(count: int) -> Any:
    """Events that allocate and free 64 bytes so many times."""
    events = no_events(2 * count)
    events.op[0::2], events.op[1::2] = Op.MALLOC, Op.FREE
    events.request[0::2] = 64
    return events


def _reset_high_water() -> int | None:
    """Let the kernel note the process's peak anew; what is resident now, None if it does not."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
        return status_bytes("VmRSS")
    return None


def _growth_since(water: int | None) -> int | None:
    """How far the noted peak lies above `water`."""
    return None if water is None else status_bytes("VmHWM") - water
