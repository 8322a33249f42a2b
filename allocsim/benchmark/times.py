"""Measure the time of a subject (a design or a malloc library): several replays in one process.

All times are CPU time of the process (see `meter.now`), less the time to read the clock. All
objects are freed before each replay. The first replay is the cold one: it uses memory that no
replay has touched before. The compiled loop reads the clock before the first event and after the
last. One more replay reads the clock before and after each batch of events, for the percentiles.

A step is a range of events; the clock is read before and after it (see `stepping`).
"""

from __future__ import annotations

from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np

from allocsim.benchmark.figures import Times
from allocsim.benchmark.meter import Meter, now, open_meter
from allocsim.benchmark.stepping import (
    Step,
    count_objects,
    free_events,
    new_run,
    one_step,
    replay_all,
    steps_ending_at,
)
from allocsim.benchmark.subject import Subject
from allocsim.core.jit import kernel
from allocsim.core.records import Table
from allocsim.driver import Run, Touch
from allocsim.events import Event
from allocsim.libraries.idle import idle_library

BATCH = 64
"""Number of events between two readings of the clock. A reading takes as long as 20 mallocs."""

MIN_RUN = 20e6
"""Minimum nanoseconds of a run: if the workload is shorter, a run replays it several times."""

MAX_REPLAYS = 1000
"""Maximum number of replays in a run."""

MAX_BATCHES = 1 << 20
"""Maximum number of batches: the percentiles cover at most the first 67 million events."""

CLOCK_READINGS = 1000
"""Number of pairs of readings from which the cost of the clock is estimated."""


class Setup(NamedTuple):
    """Everything that the measurement needs, prepared before the subject is loaded."""

    events: Table[Event]
    run: Run
    whole: Table[Step]
    """One step that covers all events."""
    batches: Table[Step]
    """A step for each full batch."""
    meter: Meter
    clock: float
    """Nanoseconds between two readings of the clock."""


def prepare(events: Table[Event], touch: Touch, limit: int) -> Setup:
    """Map and touch everything that the measurement needs."""
    count = min(len(events) // BATCH, MAX_BATCHES)
    batches = steps_ending_at(BATCH * np.arange(1, count + 1))
    run, meter = new_run(count_objects(events), touch, limit), open_meter(memory=False)
    return Setup(events, run, one_step(events), batches, meter, _clock(meter))


def measure(setup: Setup, subject: Subject, runs: int, warmup: int) -> Times:
    """Make `warmup` runs, then `runs` runs whose times count, then one more replay in batches."""
    measured = [_replay(setup, subject)]  # the first run is this one replay, which is cold
    replays = replays_per_run(measured[0] * len(setup.events))
    measured += [_run(setup, subject, replays) for _ in range(warmup + runs - 1)]
    p50, p99, p999 = _percentiles(_batches(setup, subject))
    return Times(
        cold=measured[0],
        runs=measured[warmup:],
        batch=BATCH,
        p50=p50,
        p99=p99,
        p999=p999,
        clock=setup.clock,
        driver=_driver_share(setup, subject, runs) if subject.library else None,
    )


def replays_per_run(cold: float) -> int:
    """Return how many replays make a run; the first replay took `cold` nanoseconds."""
    return max(min(int(MIN_RUN / cold), MAX_REPLAYS), 1) if cold else 1


def _run(setup: Setup, subject: Subject, replays: int) -> float:
    """Return the mean ns/event of `replays` replays."""
    return fmean(_replay(setup, subject) for _ in range(replays))


def _replay(setup: Setup, subject: Subject) -> float:
    """Return ns/event of one replay on an empty heap."""
    _free_all(setup, subject)
    replay_all(subject, setup.run, setup.events, setup.whole, setup.meter)
    if not len(setup.whole):
        return 0.0
    elapsed = float(setup.whole[0].ended - setup.whole[0].begun) - setup.clock
    return max(elapsed, 0.0) / len(setup.events)


def _driver_share(setup: Setup, subject: Subject, runs: int) -> float:
    """Return the median ns/event of `runs` replays on a library whose functions do nothing.

    The objects of `subject` are freed first. The driver writes to no object, because the idle
    library's objects have no memory.
    """
    _free_all(setup, subject)
    driver, idle = setup.run.driver[0], Subject(idle_library())
    touch, driver.touch = driver.touch, Touch.NONE
    share = median(_replay(setup, idle) for _ in range(runs))
    _free_all(setup, idle)
    driver.touch = touch
    return share


def _batches(setup: Setup, subject: Subject) -> Any:
    """Return the nanoseconds of each full batch in one replay on an empty heap."""
    _free_all(setup, subject)
    replay_all(subject, setup.run, setup.events, setup.batches, setup.meter)
    return np.maximum(setup.batches.ended - setup.batches.begun - setup.clock, 0)


def _clock(meter: Meter) -> float:
    """Return the median of the nanoseconds between two readings of the clock."""
    return float(np.median(_readings(meter, np.zeros(CLOCK_READINGS, np.int64))))


@kernel
def _readings(meter: Meter, gaps: np.ndarray) -> np.ndarray:
    """Fill `gaps` with the nanoseconds between two successive readings, and return `gaps`."""
    for index in range(len(gaps)):
        begun = now(meter)
        gaps[index] = now(meter) - begun
    return gaps


def _free_all(setup: Setup, subject: Subject) -> None:
    """Free every live object. The time for this is not counted."""
    last = free_events(setup.run)
    replay_all(subject, setup.run, last, one_step(last), setup.meter)


def _percentiles(batches: Any) -> tuple[float | None, float | None, float | None]:
    """Return the 50th, 99th and 99.9th percentile in ns/event, each None if there is no batch."""
    if not len(batches):
        return None, None, None
    p50, p99, p999 = np.percentile(batches, [50, 99, 99.9]) / BATCH
    return float(p50), float(p99), float(p999)
