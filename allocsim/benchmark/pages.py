"""The pages of a library's heap, and its live objects, after a replay in the child process.

A library's footprint is the growth of anonymous RSS. The pages are scanned before the library is
loaded, after it is loaded, and at the end, so that each page of the growth is known. The arrays of
pages and of objects are too long for a message, so the child writes them to a file in memory, which
is called the answer (see the module `answer`).

Each experiment runs in a fork: a copy of the process frees some objects, asks the library to
release memory, and counts the pages of the growth that are left.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec
import numpy as np

from allocsim.benchmark import answer, memory
from allocsim.benchmark.figures import Count
from allocsim.benchmark.meter import Meter, resident
from allocsim.benchmark.page_scan import PageScan
from allocsim.benchmark.stepping import count_calls, one_step, replay_steps
from allocsim.benchmark.subject import Subject
from allocsim.core.jit import kernel
from allocsim.core.memory import OS_PAGE
from allocsim.core.records import Table
from allocsim.driver import Run
from allocsim.errors import Corruption
from allocsim.events import Event, Op, no_events
from allocsim.libraries.load import LoadedLibrary
from allocsim.libraries.release import release_call, request_release
from allocsim.libraries.slabs import slab_shares
from allocsim.libraries.start import program_break
from allocsim.libraries.state import call_c

USABLE_SIZES = ("malloc_usable_size", "usable_size", "malloc_size")
"""Names, without the library's prefix, of the function that returns an object's usable bytes."""


class Pages(msgspec.Struct, kw_only=True):
    """The figures of the measurement. The arrays are in the answer."""

    points: list[tuple[Count, Count, Count]]
    """(event, live bytes, growth of anonymous RSS in bytes) at some events, ascending."""
    last_allocation: Count
    """Number of events up to and including the last one that allocates."""
    growth: Count
    """Growth of anonymous RSS at the end, in bytes, as the meter reads it."""
    lost: Count
    """Number of pages that were resident before the library was loaded, but not at the end."""
    objects: Count
    """Number of live objects in the answer."""
    pages: Count
    """Number of pages in the answer; they are those of the growth."""
    is_exact: bool
    """Whether the pages were scanned by PAGEMAP_SCAN."""
    has_usable: bool
    """Whether the library reports the usable bytes of an object."""
    has_slabs: bool
    """Whether the library reports the slab (a block of objects of one size) of each object."""
    release: str | None
    """The call that makes the library release memory. None if allocsim knows no such call."""
    left: list[tuple[Count, Count]]
    """For each experiment, how many bytes of the growth are left after objects were freed, and how
    many after a release was requested."""
    break_range: tuple[Count, Count] | None = None
    """The program break before the first event and at the end. None unless the library is glibc and
    another malloc serves Python, so that only the workload moves the break."""

    @property
    def peak(self) -> int:
        """The highest growth at one of the points, in bytes."""
        return max((growth for _, _, growth in self.points), default=0)


class Setup(NamedTuple):
    """Everything that the measurement needs, prepared before the library is loaded."""

    replay: memory.Setup
    before: PageScan
    started: PageScan
    ended: PageScan
    later: PageScan
    """The scan that each experiment makes, in its fork."""
    answer: int
    """Descriptor of the answer."""
    experiments: int
    """Number of experiments."""

    @property
    def meter(self) -> Meter:
        """The meter of the replay."""
        return self.replay.meter


def prepare(replay: memory.Setup, into: tuple[int, int]) -> Setup:
    """Prepare a measurement of a replay.

    `into` is (descriptor of the answer, number of experiments).
    """
    before, started, ended, later = (PageScan() for _ in range(4))
    for scan in (before, started, ended, later):
        scan.take()  # Python allocates memory for the first scan of each PageScan
    compile_usable()
    return Setup(replay, before, started, ended, later, *into)


def measure(setup: Setup, subject: Subject, before: int) -> Pages:
    """Replay, and write the answer; `before` is the anonymous RSS before the library was loaded."""
    library, replay = subject.library, setup.replay.with_clock_of(subject)
    assert library is not None
    start = program_break(library)
    setup.started.take()
    replay.replay(subject)
    growth = int(resident(replay.meter)) - before
    setup.ended.take()
    if replay.threads:
        replay.threads.hand_over(replay.run)
    old, new = setup.before.pages(), setup.ended.pages()
    grown = np.setdiff1d(new, old, assume_unique=True)
    is_start = np.isin(grown, setup.started.pages(), assume_unique=True).astype(np.int64)
    columns, has_usable = live_objects(replay.run, library)
    slabs = slab_shares(library, columns[1])
    columns.append(np.zeros(len(columns[0]), np.int64) if slabs is None else slabs)
    answer.write_arrays(setup.answer, [*columns, grown, is_start])
    return Pages(
        points=_points(replay, before),
        last_allocation=_last_allocation(replay.events),
        growth=growth,
        lost=len(np.setdiff1d(old, new, assume_unique=True)),
        objects=len(columns[0]),
        pages=len(grown),
        is_exact=setup.ended.is_exact,
        has_usable=has_usable,
        has_slabs=slabs is not None,
        release=release_call(library),
        left=[_left_after(setup, subject, grown, index) for index in range(setup.experiments)],
        break_range=None if start is None else (start, program_break(library) or start),
    )


def _last_allocation(events: Table[Event]) -> int:
    """Return the number of events up to and including the last one that allocates."""
    rows = int(np.flatnonzero(events.op < Op.FREE).max(initial=-1)) + 1
    return count_calls(events[:rows])


def _points(replay: memory.Setup, before: int) -> list[tuple[int, int, int]]:
    """Return the points of the replay (see `Pages.points`)."""
    growth = replay.steps.resident - before
    columns = (replay.steps.event.tolist(), replay.steps.live.tolist(), growth.tolist())
    return list(zip(*columns, strict=True))


def live_objects(run: Run, library: LoadedLibrary) -> tuple[list[np.ndarray], bool]:
    """Return ([ids, addresses, requested bytes, usable bytes], has_usable) of the live objects.

    The arrays are in order of ids. `has_usable` is whether the library reports usable bytes.
    """
    number = np.flatnonzero(run.objects.address)
    address = np.ascontiguousarray(run.objects.address[number])
    request = run.objects.request[number]
    names = (library.prefix + name for name in USABLE_SIZES)
    function = next(filter(None, map(library.address, (*names, USABLE_SIZES[0]))), 0)
    usable = np.array(request)
    if function:
        _fill_usable(function, address, usable)
    return [number, address, request, usable], bool(function)


def compile_usable() -> None:
    """Compile the kernel that `live_objects` calls, before the library is loaded."""
    _fill_usable(0, np.zeros(0, np.int64), np.zeros(0, np.int64))


@kernel
def _fill_usable(function: int, address: np.ndarray, usable: np.ndarray) -> None:
    """Set `usable` to the result of a C function for each address."""
    for index in range(len(address)):
        usable[index] = call_c(function, (address[index],))


def _left_after(setup: Setup, subject: Subject, grown: np.ndarray, index: int) -> tuple[int, int]:
    """Make an experiment in a fork; return the bytes of the growth that are left (`Pages.left`).

    Only pages of the growth are counted, because Python's own malloc releases memory too. Raises
    Corruption if the fork ends without a result.
    """
    live = np.flatnonzero(setup.replay.run.objects.address)
    freed = live[answer.read_set(setup.answer, index, live)]
    events = no_events(len(freed))
    events.object[:], events.op[:] = freed, Op.FREE
    steps = one_step(events)
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            replay_steps(subject.state, setup.replay.run, events, steps, setup.meter)
            before_release = _left_of(grown, setup.later)
            assert subject.library is not None
            request_release(subject.library)
            os.write(writing, f"{before_release} {_left_of(grown, setup.later)}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="ascii", errors="replace") as result:
        text = result.read().split()
    os.waitpid(process, 0)
    if len(text) != 2 or not all(number.isdecimal() for number in text):
        raise Corruption("a copy of the process ended while it freed objects")
    return int(text[0]), int(text[1])


def _left_of(grown: np.ndarray, scan: PageScan) -> int:
    """Scan again; return the bytes of the pages `grown` that are still resident."""
    scan.take()
    return int(np.isin(grown, scan.pages(), assume_unique=True).sum()) * OS_PAGE
