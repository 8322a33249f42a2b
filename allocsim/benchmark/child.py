"""The child process: measures one subject (a design or a malloc library), then ends.

The argument of the process is a Request as JSON. The process inherits descriptors: a file of events
(see `event_file`), a pipe for Messages to the parent and, if `Request.measure` is "pages" or
"snapshots", a file of arrays (see `answer`). The child sends a message at the start of each stage,
so the parent knows in which stage a child died. The stage "loading" begins when the measurement has
been prepared, and "ready" when the subject has been loaded.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from msgspec.structs import replace

from allocsim.benchmark import integrity, memory, pages, snapshots, thread_times, times
from allocsim.benchmark.event_file import map_events
from allocsim.benchmark.figures import About, Memory, Times
from allocsim.benchmark.meter import Meter, resident, status_bytes
from allocsim.benchmark.pages import Pages
from allocsim.benchmark.snapshots import Snapshots
from allocsim.benchmark.stepping import count_objects, new_run, replay_steps, steps_ending_at
from allocsim.benchmark.subject import Subject, library_of, make_subject, placeholder_state
from allocsim.benchmark.threads.records import Epoch, Turn
from allocsim.core import compile_notice, operations
from allocsim.core.available_memory import MemoryBound
from allocsim.core.records import Table
from allocsim.driver import OBJECT, Touch, first_broken
from allocsim.errors import AllocsimError, LimitExceeded, OutOfMemory
from allocsim.events import EVENT, Event, no_events
from allocsim.libraries.environment import host_of
from allocsim.libraries.load import load
from allocsim.libraries.start import start_address
from allocsim.libraries.virtual_clock import virtual_clock
from allocsim.python_child import limit_output
from allocsim.text import distinct_bytes, format_bytes

TABLE_BYTES = OBJECT.itemsize + 8
"""Bytes per object: a row of the driver's table of objects, and an int64 for `peak_live`."""

PLAN_BYTES = EVENT.itemsize + Turn.dtype.itemsize + Epoch.dtype.itemsize
"""Maximum bytes that a plan for threads needs per event: the event, a turn and an epoch (see
`benchmark.threads`)."""

FREED_SIZES = range(16, 2048, 16)
"""Sizes of the objects that `_rehearse_loading` allocates and frees, in bytes."""

FREED_BYTES = 16 << 10
"""`_rehearse_loading` allocates and frees this many bytes in objects of each size."""

Setup: TypeAlias = memory.Setup | times.Setup | thread_times.Setup | pages.Setup | snapshots.Setup
"""The preparations of each kind of measurement, made before the subject is loaded."""


class Request(msgspec.Struct, kw_only=True):
    """A measurement for a child to make."""

    subject: str
    """A name such as "tcmalloc:release_rate=10" or "lib:glibc"."""
    measure: str
    """"memory", "times", "pages" or "snapshots"."""
    events: int
    """Descriptor of the file of EVENTs."""
    first: int | None = None
    """Number of rows at the start of the file that the child replays. None for the whole file."""
    messages: int
    """Descriptor of the pipe for messages, one line of JSON each."""
    recorded: bool = False
    """Replay the events on their recorded threads: OS threads for a library, simulated threads for
    a design."""
    touch: int
    """A Touch: which bytes of each new object the replay writes."""
    limit: int | None
    """Maximum footprint in bytes. None: a share of `available` (see MemoryBound)."""
    available: int
    """Bytes of memory that are available before the child starts."""
    reserve: int
    """Bytes of address space for the heap of a design."""
    arrays: int = -1
    """Descriptor of the file of arrays (see `answer`), or -1 if the measurement writes none."""
    experiments: int = 0
    """For "pages": number of experiments (see `pages`)."""
    moments: list[int] = []
    """For "snapshots": event counts at which snapshots are taken (see `snapshots`)."""
    times: Sequence[tuple[int, int]] = ()
    """The workload's times, as in `EventFile`."""
    waits: bool = False
    """Whether the replay sleeps until each recorded time. If False, it does not sleep, and a
    library reads these times from a virtual clock."""
    later: float = 1.0
    """After everything is freed, the footprint is measured twice, this many seconds apart."""
    runs: int = 1
    """Number of timed runs."""
    warmup: int = 0
    """Number of runs before the timed ones; their times do not count."""

    def bound(self) -> MemoryBound:
        """Return the memory bound for the driver's tables, and for a subject without a limit."""
        return MemoryBound(lambda: self.available)

    def descriptors(self) -> list[int]:
        """Return the descriptors that the child inherits."""
        descriptors = (self.events, self.messages, self.arrays)
        return [descriptor for descriptor in descriptors if descriptor >= 0]

    def max_footprint(self) -> int:
        """Return the footprint in bytes above which the subject is stopped."""
        return self.bound().heap if self.limit is None else self.limit


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A line from the child to its parent."""

    stage: str
    """"compiling" (if something is compiled), "loading", "ready", "checking" (if memory is
    measured), and "done". The last message is "done" or "failed"."""
    kernels: str = ""
    """In "compiling": the group of kernels (see `compile_notice`)."""
    seconds: float = 0
    """In "compiling": CPU-seconds that compiling this group is likely to take."""
    resident: int = 0
    """In "ready": RSS of the process in bytes, including file pages."""
    about: About = About()
    memory: Memory | None = None
    times: Times | None = None
    pages: Pages | None = None
    snapshots: Snapshots | None = None
    failure: str | None = None
    over_limit: bool = False
    """In "failed": the footprint exceeded the limit."""


def main(request: Request) -> None:
    """Make the requested measurement, and send the figures or the error."""
    compile_notice.report = lambda kernels, seconds: _send(
        request, Message(stage="compiling", kernels=kernels, seconds=seconds)
    )
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash writes no core file
    try:
        _measure(request)
    except AllocsimError as error:
        is_bound = isinstance(error, LimitExceeded) and request.limit is None
        reason = f"; the limit is {request.bound()}" if is_bound else ""
        over_limit = isinstance(error, LimitExceeded)
        _send(request, Message(stage="failed", failure=f"{error}{reason}", over_limit=over_limit))


def _measure(request: Request) -> None:
    """Prepare the measurement, load the subject, measure it, and send the figures."""
    events = map_events(request.events, request.first)
    touch = Touch(request.touch)
    _require_memory_for_tables(events, request)
    setup = _prepare(request, events, touch)
    _compile(request.subject, setup.meter, _has_clock(setup))
    if library_of(request.subject):
        limit_output()  # only now, because the compiler writes files that are larger than the limit
    _send(request, Message(stage="loading"))
    if isinstance(setup, pages.Setup | snapshots.Setup):
        setup.before.take()
    before = int(resident(setup.meter))
    subject = make_subject(request.subject, request.reserve)
    if subject.heap:  # taking pages fails if the footprint would exceed `bound` (see `core.system`)
        subject.heap.state.system[0].bound = max(request.bound().request, request.limit or 0)
    about = _about(request.subject, subject)
    _send(request, Message(stage="ready", resident=status_bytes("VmRSS")))
    if isinstance(setup, memory.Setup):
        figures = memory.measure(setup, subject, before, request.later)
        _require_within_limit(figures.peak, request)
        _send(request, Message(stage="checking"))
        flaw = integrity.require_intact(subject, setup)
        _send(request, Message(stage="done", memory=figures, about=replace(about, flaw=flaw)))
    elif isinstance(setup, pages.Setup):
        page_figures = pages.measure(setup, subject, before)
        _require_within_limit(page_figures.peak, request)
        _send(request, Message(stage="done", pages=page_figures, about=about))
    elif isinstance(setup, snapshots.Setup):
        snapshot_figures = snapshots.measure(setup, subject)
        _send(request, Message(stage="done", snapshots=snapshot_figures, about=about))
    else:
        time_figures = _times(setup, subject, request)
        _send(request, Message(stage="done", times=time_figures, about=about))


def _prepare(request: Request, events: Table[Event], touch: Touch) -> Setup:
    """Prepare the requested measurement. Only replays on a library use OS threads."""
    limit = request.max_footprint()
    threaded = request.recorded and library_of(request.subject) is not None
    if request.measure == "snapshots":
        moments = (request.arrays, request.moments)
        return snapshots.prepare(events, touch, limit, _pace(request), moments)
    if request.measure in ("memory", "pages"):
        replay = memory.prepare(events, touch, limit, threaded, _pace(request))
        if request.measure == "memory":
            return replay
        return pages.prepare(replay, (request.arrays, request.experiments))
    return (thread_times if threaded else times).prepare(events, touch, limit)


def _has_clock(setup: Setup) -> bool:
    """Return whether a library will read a virtual clock."""
    replay = setup.replay if isinstance(setup, pages.Setup | snapshots.Setup) else setup
    return isinstance(replay, memory.Setup) and replay.clock is not None


def _pace(request: Request) -> memory.Pace | None:
    """Return the pace of a replay on a library, or None for a design."""
    is_library = library_of(request.subject) is not None
    return memory.Pace(request.times, request.waits) if is_library else None


def _times(setup: times.Setup | thread_times.Setup, subject: Subject, request: Request) -> Times:
    """Measure the times of a subject."""
    if isinstance(setup, thread_times.Setup):
        return thread_times.measure(setup, subject, request.runs, request.warmup)
    return times.measure(setup, subject, request.runs, request.warmup)


def _about(name: str, subject: Subject) -> About:
    """Return which library is measured, and which one serves Python's own allocations."""
    if subject.library is None:
        return About()
    host = host_of(library_of(name) or "")
    start = start_address(subject.library)
    return About(version=subject.version(), path=subject.library.path, host=host, start=start)


def _require_within_limit(peak: int, request: Request) -> None:
    """Raise LimitExceeded if the measured peak, in bytes, exceeds the limit.

    The parent reads the memory of a library's process every POLL_INTERVAL seconds, so it can miss
    a short peak.
    """
    if peak > request.max_footprint():
        measured, limit = distinct_bytes(peak, request.max_footprint())
        raise LimitExceeded(f"exceeded the limit of {limit} with {measured}")


def _require_memory_for_tables(events: Table[Event], request: Request) -> None:
    """Raise OutOfMemory if the driver's tables would take more memory than a run may use.

    All rows are touched before the replay, so the tables use this memory from the beginning.
    """
    threaded = request.recorded and library_of(request.subject) is not None
    needed = TABLE_BYTES * count_objects(events) + threaded * PLAN_BYTES * len(events)
    if needed > request.bound().heap:
        raise OutOfMemory(
            f"the driver's tables need {format_bytes(needed)}, more than a run may use"
        )


def _compile(name: str, meter: Meter, has_clock: bool) -> None:
    """Compile the kernels that the measurement calls, for the type of the subject's state.

    This cannot wait until the subject is loaded. From then on, the process cannot write files as
    large as a compiled kernel (see `limit_output`), and the memory that Python takes to compile a
    kernel would count as the subject's. If `has_clock`, the library will read the virtual clock.
    """
    state, run = placeholder_state(name), new_run(1, Touch.NONE)
    replay_steps(state, run, no_events(), steps_ending_at([]), meter)
    first_broken(run, np.zeros(0, np.int64))
    resident(meter)
    if library_of(name):
        _rehearse_loading(has_clock)
    else:
        operations.flush_deferred_writes(state)
        operations.footprint(state)


def _rehearse_loading(has_clock: bool) -> None:
    """Load glibc, which is loaded already, in the way in which the measured library will be loaded.

    Python allocates memory when a library is first loaded. This happens here, before the
    measurement. The function then allocates and frees objects (see FREED_BYTES), so that later
    objects of Python use memory that is already resident. Without this function, 45 to 65 KiB of
    Python's memory would count as the library's; with it, 4 to 8 KiB do.
    """
    library = load("glibc")
    _about("lib:glibc", Subject(library.state, library=library))
    if has_clock:
        virtual_clock().replace_clock_of(library)
    blocks = [bytes(size) for size in FREED_SIZES for _ in range(FREED_BYTES // size)]
    del blocks


def _send(request: Request, message: Message) -> None:
    """Send a message to the parent, as one line of JSON."""
    os.write(request.messages, msgspec.json.encode(message) + b"\n")


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Request))
