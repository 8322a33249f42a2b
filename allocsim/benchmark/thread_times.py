"""Measure the time of a library on the recorded threads: the CPU time of all of them together.

The events are replayed in windows of hundreds of events or more (see `benchmark.threads`). The
threads run freely within a window, so they contend for the locks of the library as in the program.
The CPU time for waiting at the end of a window does not count. Wall-clock time would depend on the
number of processors, and on how long the threads wait for each other at the ends of windows.
"""

from __future__ import annotations

from statistics import fmean
from typing import NamedTuple

import numpy as np

from allocsim.benchmark.figures import Times
from allocsim.benchmark.meter import Meter, open_meter
from allocsim.benchmark.stepping import (
    count_objects,
    free_events,
    new_run,
    one_step,
    replay_all,
    steps_ending_at,
)
from allocsim.benchmark.subject import Subject
from allocsim.benchmark.threads.plan import make_plan
from allocsim.benchmark.threads.replay import Options, ThreadedReplay
from allocsim.benchmark.threads.survey import survey
from allocsim.benchmark.threads.window import Window, choose_window
from allocsim.benchmark.times import replays_per_run
from allocsim.core.records import Table
from allocsim.driver import Run, Touch
from allocsim.events import Event


class Setup(NamedTuple):
    """Everything that the measurement needs, prepared before the subject is loaded."""

    replay: ThreadedReplay
    run: Run
    """Used to free the objects that are live after a replay."""
    meter: Meter
    window: Window


def prepare(events: Table[Event], touch: Touch, limit: int) -> Setup:
    """Choose the window, and map and touch everything that the measurement needs."""
    objects, meter = count_objects(events), open_meter(memory=False)
    window, steps = choose_window(events, objects), steps_ending_at(np.zeros(0, np.int64))
    plan = make_plan(events, survey(events, objects), objects, steps, window.events)
    replay = ThreadedReplay(plan, steps, meter, Options(touch, limit, timed=True))
    return Setup(replay, new_run(objects, touch, limit), meter, window)


def measure(setup: Setup, subject: Subject, runs: int, warmup: int) -> Times:
    """Make `warmup` runs, then `runs` runs whose times count."""
    measured = [replay_once(setup, subject)]  # the first run has one replay, which is cold
    replays = replays_per_run(measured[0] * setup.replay.calls)
    for _ in range(warmup + runs - 1):
        measured.append(fmean(replay_once(setup, subject) for _ in range(replays)))
    return Times(
        cold=measured[0],
        runs=measured[warmup:],
        batch=0,
        p50=None,
        p99=None,
        p999=None,
        clock=0.0,
        threads=setup.replay.at_once,
        window=setup.window.events,
        stray=setup.window.stray,
    )


def replay_once(setup: Setup, subject: Subject) -> float:
    """Return the CPU time in ns/event of one replay on an empty heap."""
    assert subject.library is not None
    setup.replay.replay(subject.library.state.function)
    setup.replay.end_threads()
    setup.replay.hand_over(setup.run)
    last = free_events(setup.run)
    replay_all(subject, setup.run, last, one_step(last), setup.meter)
    return setup.replay.processor_time / setup.replay.calls
