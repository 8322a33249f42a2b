"""Snapshots of a library's heap at several moments of one replay, in the child process.

At each moment, the process forks. The copy scans the pages and the live objects, so a snapshot
changes no memory of the replay. Each copy writes its results into the answer, a file in memory (see
`answer`), at an offset of its own.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np

from allocsim.benchmark import answer, memory
from allocsim.benchmark.figures import Count
from allocsim.benchmark.meter import Meter
from allocsim.benchmark.occupancy import HELD, occupancy
from allocsim.benchmark.page_scan import PageScan
from allocsim.benchmark.pages import compile_usable, live_objects
from allocsim.benchmark.stepping import Step, replay_all, steps_ending_at
from allocsim.benchmark.subject import Subject
from allocsim.core.memory import OS_PAGE
from allocsim.core.records import Table
from allocsim.driver import Touch
from allocsim.errors import Corruption
from allocsim.events import Event, Op

MAX_SNAPSHOTS = 1 << 8
"""Maximum number of snapshots of one replay."""

SNAPSHOT_BYTES = answer.SETS // MAX_SNAPSHOTS
"""Bytes of the answer for each snapshot. Unwritten pages use no memory."""

PARTS = 2
"""Number of parts of the footprint that hold no live object: empty pages, and startup state."""

HEADER = 1 + len(HELD) + PARTS
"""Number of integers before the regions of a snapshot (see `Occupancy.regions`). These integers are
the number of regions and the bytes of each part."""


class Snapshots(msgspec.Struct, kw_only=True):
    """The figures of the measurement that are not in the answer."""

    count: Count
    """Number of snapshots in the answer."""
    is_exact: bool
    """Whether the pages were scanned by PAGEMAP_SCAN."""


class Setup(NamedTuple):
    """Everything that the measurement needs, prepared before the library is loaded."""

    replay: memory.Setup
    slices: list[tuple[Table[Event], Table[Step]]]
    """For each snapshot: the events since the previous snapshot, and the steps in which they are
    replayed (see `stepping`)."""
    before: PageScan
    started: PageScan
    now: PageScan
    answer: int
    """Descriptor of the answer."""

    @property
    def meter(self) -> Meter:
        """The meter of the replay."""
        return self.replay.meter


def prepare(
    events: Table[Event],
    touch: Touch,
    limit: int,
    pace: memory.Pace | None,
    into: tuple[int, list[int]],
) -> Setup:
    """Prepare the snapshots. `into` is (descriptor of the answer, ascending event counts)."""
    file, moments = into
    before, started, now = (PageScan() for _ in range(3))
    for scan in (before, started, now):
        scan.take()  # Python allocates memory for the first scan of each PageScan
    compile_usable()
    ends = np.searchsorted(np.cumsum(events.op <= Op.FREE), moments, "left") + 1
    replay = memory.prepare(events, touch, limit, pace=pace)
    slices = [
        (events[begin:end], _steps_between(replay.steps, *numbers, pace))
        for begin, end, numbers in zip([0, *ends[:-1]], ends, pairwise([0, *moments]), strict=True)
    ]
    return Setup(replay, slices, before, started, now, file)


def _steps_between(
    steps: Table[Step], first: int, last: int, pace: memory.Pace | None
) -> Table[Step]:
    """Return the steps of the replay from event `first` to event `last`.

    The last step ends at `last`. Event numbers in the steps are relative to `first`. With `pace`,
    the field `time` of each step is set too.
    """
    ends = np.union1d(steps.event[(steps.event > first) & (steps.event < last)], last)
    slice_steps = steps_ending_at(ends - first)
    if pace:
        slice_steps.time = pace.times_at(ends)
    return slice_steps


def measure(setup: Setup, subject: Subject) -> Snapshots:
    """Replay up to the last snapshot, and write each snapshot to the answer."""
    setup.replay.with_clock_of(subject).start_time()
    setup.started.take()
    for index, (events, steps) in enumerate(setup.slices):
        replay_all(subject, setup.replay.run, events, steps, setup.meter)
        _take_snapshot(setup, subject, index)
    return Snapshots(count=len(setup.slices), is_exact=setup.started.is_exact)


def _take_snapshot(setup: Setup, subject: Subject, index: int) -> None:
    """Take a snapshot of the heap in a fork; raise Corruption if the fork fails."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            _write_snapshot(setup, subject, index)
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(process, 0)[1]:
        raise Corruption("a copy of the process ended while it visited the heap")


def _write_snapshot(setup: Setup, subject: Subject, index: int) -> None:
    """Write the header and the regions of a snapshot to the answer."""
    setup.now.take()
    grown = np.setdiff1d(setup.now.pages(), setup.before.pages(), assume_unique=True)
    is_start = np.isin(grown, setup.started.pages(), assume_unique=True).astype(np.int64)
    assert subject.library is not None
    (_, address, request, usable), _ = live_objects(setup.replay.run, subject.library)
    order = np.argsort(address)
    figures = occupancy(
        (address[order], request[order], usable[order]),
        (grown * OS_PAGE, np.full(len(grown), OS_PAGE), is_start),
        PARTS,
    )
    header = np.array([len(figures.regions), *figures.held, *figures.unheld])
    answer.write_arrays(setup.answer, [header, figures.regions.ravel()], index * SNAPSHOT_BYTES)
