"""Measure the memory of a subject (a design or a malloc library) in one replay.

The anonymous RSS of the process is read at POINTS events, and at the peak of live bytes. The
footprint of a library is the growth of this figure since just before the library was loaded. The
peak is the highest reading, or the kernel's own peak if that is higher (see `high_water`). A design
computes its own footprint; the growth of RSS is reported too. The driver's own arrays are in memory
before the first reading, so they do not count.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from allocsim.benchmark.figures import Memory
from allocsim.benchmark.high_water import HighWater
from allocsim.benchmark.meter import Meter, open_meter, resident
from allocsim.benchmark.proof import count_aligned, require_functions, require_served
from allocsim.benchmark.stepping import (
    Step,
    count_calls,
    count_objects,
    free_events,
    new_run,
    one_step,
    peak_live,
    replay_all,
    steps_ending_at,
)
from allocsim.benchmark.subject import Subject
from allocsim.benchmark.threads.plan import make_plan
from allocsim.benchmark.threads.replay import Options, ThreadedReplay
from allocsim.benchmark.threads.survey import survey
from allocsim.core import operations
from allocsim.core.memory import table
from allocsim.core.records import Table
from allocsim.driver import Run, Touch
from allocsim.driver_writes import TOUCH_STEP
from allocsim.events import Event, Op, no_events
from allocsim.libraries.counters import committed, releases_in_background
from allocsim.libraries.one_processor import one_processor
from allocsim.libraries.virtual_clock import VirtualClock, virtual_clock
from allocsim.player import NEVER

POINTS = 2000
"""Number of evenly spaced events at which memory is read and the virtual clock is set. This is
also done at the peak of live bytes. A reading takes 2 us."""

SLOW_POINTS = 40
"""Used in place of POINTS if reading memory is slow (see `meter`)."""

SMALL_CALLS = 1000
"""malloc/free pairs made between the delay and the second reading of the footprint (see `measure`),
because some libraries check their timers only during a call."""

ASSUMED_NS = 1000
"""Nanoseconds of program time per event if the workload has no times. A program that mainly
allocates takes about this long for an event."""


class Pace(NamedTuple):
    """The times at which the events of a workload are replayed on a library."""

    times: Sequence[tuple[int, int]] = ()
    """The workload's times, as in `EventFile`. Empty if it has none."""
    waits: bool = False
    """Whether the replay sleeps until each recorded time. If False, it does not sleep, and the
    library reads these times from a virtual clock."""

    def times_at(self, events: np.ndarray) -> np.ndarray:
        """Return the time in ns at the end of the first N events, for each N in `events`."""
        if not self.times:
            return ASSUMED_NS * events
        known, times = np.array(self.times, np.int64).T
        return np.interp(events, known, times).astype(np.int64)


class Facts(NamedTuple):
    """Figures that follow from the events alone."""

    aligned: int = 0
    """Number of calls of memalign."""
    first_live: int = 0
    """See `Memory.first_live`."""


class Setup(NamedTuple):
    """Everything that the measurement needs, prepared before the subject is loaded."""

    events: Table[Event]
    run: Run
    steps: Table[Step]
    meter: Meter
    threads: ThreadedReplay | None = None
    """Replays the events on OS threads. None if they are replayed on one thread."""
    facts: Facts = Facts()
    clock: VirtualClock | None = None
    """The clock that the library reads. None if it reads the machine's clock."""

    def with_clock_of(self, subject: Subject) -> Setup:
        """Make the subject read the virtual clock, if it is a library that reads any clock.

        Returns this setup, without the virtual clock if the subject does not read it. A library
        with a thread that releases memory keeps the machine's clock, by which this thread sleeps.
        """
        library = subject.library
        if self.clock is None or library is None:
            return self._replace(clock=None)
        # Set this even if nothing reads the clock. Otherwise, the replay would sleep at each step.
        self.meter.settings[0].clock = self.clock.word.ctypes.data
        is_read = not releases_in_background(library) and self.clock.replace_clock_of(library)
        return self if is_read else self._replace(clock=None)

    def wait(self, seconds: float) -> None:
        """Advance the virtual clock by `seconds`, or sleep if there is no virtual clock."""
        if self.clock is None:
            time.sleep(seconds)
        else:
            self.clock.word[0] += int(1e9 * seconds)

    def start_time(self) -> int:
        """Let the workload's times count from now; return the machine's time in ns."""
        begun = time.monotonic_ns()
        self.meter.settings[0].origin = self.clock.word[0] if self.clock else begun
        return begun

    def replay(self, subject: Subject) -> float:
        """Replay all events, with readings after each step (see `stepping`); return the seconds."""
        begun = self.start_time()
        if self.threads is None:
            replay_all(subject, self.run, self.events, self.steps, self.meter)
        elif subject.library:
            with one_processor(subject.library):
                self.threads.replay(subject.library.state.function)
        return (time.monotonic_ns() - begun) / 1e9


def prepare(
    events: Table[Event],
    touch: Touch,
    limit: int,
    threaded: bool = False,
    pace: Pace | None = None,
) -> Setup:
    """Map and touch everything that the measurement needs; `limit` is in bytes of footprint.

    If `threaded`, the events are replayed on OS threads, in their recorded order. `pace` is None
    for a design.
    """
    objects, count = count_objects(events), count_calls(events)
    requests, meter = table(np.int64, objects), open_meter()
    points = min(POINTS if meter.settings[0].fast else SLOW_POINTS, count)
    ends = np.linspace(0, count, points + 1).astype(np.int64)[1:]
    ends = np.union1d(ends, peak_live(events, requests, NEVER)[1])
    requests.fill(0)
    first_live = peak_live(events, requests, TOUCH_STEP)[0]
    steps = steps_ending_at(ends[ends > 0])  # peak live is at event 0 if nothing is ever live
    clock = virtual_clock() if pace and not pace.waits else None
    if pace:
        steps.time = pace.times_at(steps.event)
    run, facts = new_run(objects, touch, limit), Facts(count_aligned(events), int(first_live))
    if not threaded or not count:
        return Setup(events, run, steps, meter, None, facts, clock)
    plan = make_plan(events, survey(events, objects), objects, steps)
    run.driver[0].peak_live = plan.cursor[0].peak_live
    threads = ThreadedReplay(plan, steps, meter, Options(touch, limit))
    return Setup(events, run, steps, meter, threads, facts, clock)


def measure(setup: Setup, subject: Subject, before: int, later: float) -> Memory:
    """Replay and measure.

    `before` is the anonymous RSS before the subject was loaded. After everything is freed, the
    footprint is measured twice; `later` is the delay between the two measurements in seconds.
    """
    if subject.library:
        require_functions(subject.library, setup.facts.aligned)
    setup = setup.with_clock_of(subject)
    started = resident(setup.meter) - before
    high = HighWater()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    seconds = setup.replay(subject)
    _flush_deferred_writes(subject, setup)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    noted, noted_anonymous = high.growth(), high.anonymous_growth(setup.meter)
    if setup.threads:
        setup.threads.hand_over(setup.run)  # after the readings, because it creates arrays
    counters = subject.counters()
    figures = _at_peak(subject, setup, before, noted_anonymous + started)
    figures |= _at_end(subject, setup, before)
    kept, kept_later = _after_freeing(subject, setup, before, later)
    if subject.library:
        require_served(subject.library)
    return Memory(
        **figures,
        first_live=setup.facts.first_live,
        seconds=seconds,
        has_virtual_clock=setup.clock is not None,
        committed=_committed(subject, counters, figures["end"]),
        started=started,
        high_water=None if noted is None else noted + started,  # `noted` excludes the startup
        faults=faults,
        kept=kept,
        kept_later=kept_later,
        counters=counters,
    )


def _at_peak(subject: Subject, setup: Setup, before: int, noted: int) -> dict[str, int]:
    """Return the figures at the peak of the footprint, or at the first of several equal peaks.

    `noted` is the growth of the kernel's own peak, in bytes. If it exceeds all readings of a
    library, it is returned as the peak, with the event and the live bytes of the highest reading.
    """
    growth = setup.steps.resident - before
    if subject.heap:  # exact: the driver checks the footprint after every event
        sample = setup.run.peak[0]
        moment = int(sample.footprint), int(sample.event), int(sample.live)
    elif len(growth):
        step = setup.steps[int(growth.argmax())]
        moment = max(int(growth.max()), noted), int(step.event), int(step.live)
    else:
        moment = 0, 0, 0
    peak, peak_event, live_at_peak = moment
    return {
        "peak": peak,
        "peak_event": peak_event,
        "live_at_peak": live_at_peak,
        "peak_live": int(setup.run.driver[0].peak_live),
        "resident_peak": max(int(growth.max(initial=0)), noted),
    }


def _at_end(subject: Subject, setup: Setup, before: int) -> dict[str, int]:
    """Return the figures after the last event."""
    if not len(setup.steps):
        return {"end": 0, "live_at_end": 0, "resident_end": 0}
    last = setup.steps[-1]
    growth = int(last.resident) - before
    return {
        "end": int(last.footprint) if subject.heap else growth,
        "live_at_end": int(last.live),
        "resident_end": growth,
    }


def _committed(subject: Subject, counters: dict[str, int], end: int) -> int | None:
    """Return the committed bytes at the end, as the subject counts them.

    If the subject does not count committed bytes, returns the footprint `end` for a design and None
    for a library.
    """
    counted = committed(counters)
    return end if counted is None and subject.heap else counted


def _flush_deferred_writes(subject: Subject, setup: Setup) -> None:
    """If the subject is a design, make its deferred writes, then take the last reading again.

    The allocator that the design models would have made these writes by now (see
    `operations.flush_deferred_writes`).
    """
    if subject.heap and len(setup.steps):
        operations.flush_deferred_writes(subject.state)
        setup.steps[-1].resident = resident(setup.meter)


def _after_freeing(subject: Subject, setup: Setup, before: int, later: float) -> tuple[int, int]:
    """Free everything; return the footprint right after that, and after a delay.

    The delay is `later` seconds, followed by SMALL_CALLS malloc/free pairs.
    """
    without_events = resident(setup.meter)
    last, pairs = free_events(setup.run), _pairs(SMALL_CALLS)
    steps = one_step(last), one_step(pairs)
    before += resident(setup.meter) - without_events  # the memory of these events must not count
    replay_all(subject, setup.run, last, steps[0], setup.meter)
    at_once = _footprint(subject, setup.meter, before)
    setup.wait(later)
    replay_all(subject, setup.run, pairs, steps[1], setup.meter)
    return at_once, _footprint(subject, setup.meter, before)


def _footprint(subject: Subject, meter: Meter, before: int) -> int:
    """Return the footprint: a design's own figure, or the growth of anonymous RSS for a library."""
    if subject.heap:
        return int(operations.footprint(subject.state))
    return int(resident(meter)) - before


def _pairs(count: int) -> Table[Event]:
    """Return events that allocate and free 64 bytes, `count` times."""
    events = no_events(2 * count)
    events.op[0::2], events.op[1::2] = Op.MALLOC, Op.FREE
    events.request[0::2] = 64
    return events
