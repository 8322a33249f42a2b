"""Measure the time of a library on the recorded threads: the CPU time of all of them together.

The threads run freely within windows, so they contend for the locks of the library as in the
program. The wall-clock time would depend on the number of processors, and on how long the threads
wait for each other at the ends of windows. Only the time within turns counts.
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
from allocsim.benchmark.threads.play import Options, ThreadedPlay
from allocsim.benchmark.threads.survey import survey
from allocsim.benchmark.threads.window import Window, choose_window
from allocsim.benchmark.times import replays_per_run
from allocsim.core.records import Table
from allocsim.driver import Run, Touch
from allocsim.events import Event


class Setup(NamedTuple):
    """Everything that the measurement needs, prepared before the subject is loaded."""

    play: ThreadedPlay
    run: Run
    """Used to free the objects that are live after a play."""
    meter: Meter
    window: Window


def prepare(events: Table[Event], touch: Touch, limit: int) -> Setup:
    """Choose the window, and map and touch everything that the measurement needs."""
    objects, meter = count_objects(events), open_meter(memory=False)
    window, steps = choose_window(events, objects), steps_ending_at(np.zeros(0, np.int64))
    plan = make_plan(events, survey(events, objects), objects, steps, window.events)
    play = ThreadedPlay(plan, steps, meter, Options(touch, limit, timed=True))
    return Setup(play, new_run(objects, touch, limit), meter, window)


def measure(setup: Setup, subject: Subject, runs: int, warmup: int) -> Times:
    """Make `warmup` runs, then `runs` runs whose times count."""
    measured = [_play(setup, subject)]  # the first run is this one play, which is cold
    plays = replays_per_run(measured[0] * setup.play.calls)
    for _ in range(warmup + runs - 1):
        measured.append(fmean(_play(setup, subject) for _ in range(plays)))
    return Times(
        cold=measured[0],
        runs=measured[warmup:],
        batch=0,
        p50=None,
        p99=None,
        p999=None,
        clock=0.0,
        threads=setup.play.at_once,
        window=setup.window.events,
        stray=setup.window.stray,
    )


def _play(setup: Setup, subject: Subject) -> float:
    """Return the CPU time in ns/event of one play on an empty heap."""
    assert subject.library is not None
    setup.play.play(subject.library.state.function)
    setup.play.end_threads()
    setup.play.hand_over(setup.run)
    last = free_events(setup.run)
    replay_all(subject, setup.run, last, one_step(last), setup.meter)
    return setup.play.processor_time / setup.play.calls
