"""The time that a subject takes for a workload: measured in a fresh process, in several plays.

Above `steps`, beside `memory`; started by `child`. Each play begins with nothing live; the first
finds cold memory. One more play, in batches, gives the distribution. Its one rule: what is timed
is the compiled loop from its first event to its last, and in it the clock is read only twice, or
in the play that is for it twice a batch.
"""

from __future__ import annotations

from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from allocsim.benchmark.figures import Times
from allocsim.benchmark.memory import play_all
from allocsim.benchmark.meter import Meter, now, open_meter
from allocsim.benchmark.stepping import frees, new_run, steps_to
from allocsim.benchmark.subject import Subject
from allocsim.core.jit import kernel
from allocsim.driver import Run, Touch

BATCH = 64
"""Events between two looks at the clock: at malloc's speed it takes as long as two events."""

LEAST_RUN = 20e6
"""Nanoseconds that a run takes at least: a workload that is shorter is played several times."""

MOST_PLAYS = 1000
"""Of a run."""

MOST_BATCHES = 1 << 20
"""Batches that are kept: of a longer workload the first 67 million events count."""


class Series(NamedTuple):
    """What is ready before the subject is there."""

    events: Any
    run: Run
    whole: Any
    """One step: all events."""
    batches: Any
    """A step for each full batch."""
    meter: Meter


def prepare(events: Any, touch: Touch, limit: int) -> Series:
    """Everything that the measurement needs, made and touched."""
    objects = int(events.object.max()) + 1 if len(events) else 1
    count = min(len(events) // BATCH, MOST_BATCHES)
    batches = steps_to(BATCH * np.arange(1, count + 1))
    whole = steps_to([len(events)] if len(events) else [])
    return Series(events, new_run(objects, touch, limit), whole, batches, open_meter(memory=False))


def measure(series: Series, subject: Subject, runs: int, warmup: int) -> Times:
    """Play `warmup` times and then `runs` times, and once more for the distribution."""
    found = [_timed(series, subject)]
    plays = _plays(found[0] * len(series.events))
    found += [_run(series, subject, plays) for _ in range(warmup + runs - 1)]
    p50, p99, p999 = _percentiles(_batches(series, subject))
    return Times(
        cold=found[0],
        runs=found[warmup:],
        batch=BATCH,
        p50=p50,
        p99=p99,
        p999=p999,
        clock=_clock(series.meter),
    )


def _plays(cold: float) -> int:
    """How many plays make a run, when the first took `cold` nanoseconds."""
    return max(min(int(LEAST_RUN / cold), MOST_PLAYS), 1) if cold else 1


def _run(series: Series, subject: Subject, plays: int) -> float:
    """Nanoseconds an event of so many plays in a row."""
    return fmean(_timed(series, subject) for _ in range(plays))


def _timed(series: Series, subject: Subject) -> float:
    """Nanoseconds an event of one play from an empty heap."""
    _free_all(series, subject)
    play_all(subject, series.run, series.events, series.whole, series.meter)
    if not len(series.whole):
        return 0.0
    return float(series.whole[0].ended - series.whole[0].begun) / len(series.events)


def _batches(series: Series, subject: Subject) -> Any:
    """Nanoseconds of each full batch of one play from an empty heap."""
    _free_all(series, subject)
    play_all(subject, series.run, series.events, series.batches, series.meter)
    return series.batches.ended - series.batches.begun


def _clock(meter: Meter) -> float:
    """Nanoseconds between two readings of the clock with nothing between them: the median."""
    return float(np.median(_readings(meter, np.zeros(1000, np.int64))))


@kernel
def _readings(meter: Meter, gaps: np.ndarray) -> np.ndarray:
    """Fill `gaps` with the nanoseconds between pairs of readings."""
    for index in range(len(gaps)):
        begun = now(meter)
        gaps[index] = now(meter) - begun
    return gaps


def _free_all(series: Series, subject: Subject) -> None:
    """Free whatever is live, off the clock."""
    last = frees(series.run)
    play_all(subject, series.run, last, steps_to([len(last)] if len(last) else []), series.meter)


def _percentiles(batches: Any) -> tuple[float | None, float | None, float | None]:
    """The median, the 99th and the 99.9th percentile, an event; None without a batch."""
    if not len(batches):
        return None, None, None
    found = np.percentile(batches, [50, 99, 99.9]) / BATCH
    return float(found[0]), float(found[1]), float(found[2])
