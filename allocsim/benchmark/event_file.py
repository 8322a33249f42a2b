"""The file of events: all events of a workload in memory (a memfd), which every child maps.

The workload is read once. If the recorded threads are replayed, the file has the events and,
between them, a note for each end of a thread (see `events.Op`). Otherwise it has only the events,
all on one thread.

The file has no name. The OS frees it when no process has it open any more. The file is sealed,
which makes every write to it fail. A library in a child therefore cannot change the events that
other children replay.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from errno import EFBIG
from typing import Any

import numpy as np

from allocsim.benchmark.thread_ends import ThreadEnds, insert_notes
from allocsim.benchmark.untouched import UntouchedShares
from allocsim.core.available_memory import available_memory
from allocsim.core.memory import NO_RESERVE
from allocsim.core.records import Table
from allocsim.errors import EnvironmentLacks
from allocsim.events import EVENT, Event, Op, Trace, no_events
from allocsim.recorded_times import recorded_times
from allocsim.signals import interrupt_message
from allocsim.text import counted
from allocsim.traces.event_facts import CallsBefore

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
"""Seals that make every write to the file, and every change of its length, fail."""

MAX_TIMES = 1 << 10
"""Maximum length of `EventFile.times`, which is passed to a child as an argument."""


@dataclass(frozen=True)
class EventFile:
    """A workload that any number of children can replay."""

    trace: Trace
    """The trace, kept for its description and its messages. Its events have been read."""
    descriptor: int
    events: int
    """Number of events that a child replays (see `first`). The ends of threads do not count."""
    threads: int = 1
    """Number of threads in the workload, even if its events were put on one thread."""
    at_once: int = 1
    """Maximum number of threads that are alive at once; 1 if all events are on one thread. The
    program may have had more if `ends` is "inferred"."""
    recorded: bool = False
    """Whether the events are on several threads, as in the workload."""
    ends: str | None = None
    """Origin of the ends of threads: "recorded" or "inferred", or None if no thread ends or all
    events are on one thread."""
    times: Sequence[tuple[int, int]] = ()
    """Pairs (number of events, time of the next event in ns since the program's first call). Empty
    if the workload has no times."""
    knows_touched: bool = False
    """Whether the recording says how much of each large object was touched (see `untouched`)."""
    notes: Sequence[int] = ()
    """For each note (the end of a thread) in the file: number of events before it, ascending."""
    first: int | None = None
    """Number of rows (events and ends of threads) at the start of the file that a child replays.
    None for the whole file."""

    def up_to(self, event: int) -> EventFile:
        """Return the same file for a replay of its first `event` events."""
        events = min(event, self.events)
        return replace(self, events=events, first=self.rows(events))

    def rows(self, event: int) -> int:
        """Return the number of rows up to and including the `event`-th event."""
        return event + bisect_left(self.notes, event)

    @property
    def seconds(self) -> float | None:
        """Approximate seconds from the program's first call to its last. None if not recorded."""
        return self.times[-1][1] / 1e9 if self.times else None

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


def write_events(
    trace: Trace,
    progress: Callable[[int], None] | None = None,
    available: Callable[[], int] = available_memory,
    recorded: bool = False,
) -> EventFile:
    """Read a whole workload into a file of events.

    With `recorded`, the events stay on their threads if there are several. After each chunk,
    `progress` is called with the number of events so far. Raises EnvironmentLacks if the file would
    take more than half of the available memory. The other half is left for the tables and the heaps
    of the children.
    """
    descriptor = new_file()
    try:
        writer = _Writer(descriptor, trace, available() // 2, recorded)
        with interrupt_message(lambda: f"after reading {counted(writer.count, 'event')}"):
            for chunk in trace.chunks:
                writer.write(chunk)
                if progress is not None:
                    progress(writer.count)
        return writer.finish()
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        trace.close()


class _Writer:
    """Writes the chunks of a trace to a file of events."""

    def __init__(self, descriptor: int, trace: Trace, max_bytes: int, recorded: bool) -> None:
        """`max_bytes` is the maximum length of the file; `recorded` is as in write_events."""
        self.count = 0
        """Number of events so far."""
        self._descriptor, self._trace, self._max_bytes = descriptor, trace, max_bytes
        self._recorded = recorded
        self._threads = ThreadEnds()
        times = _times(trace)
        self._nanoseconds = times[:, 1]
        self._before = CallsBefore(times[:, 0])
        self._shares = UntouchedShares(trace)

    def write(self, chunk: Any) -> None:
        """Append the events of a chunk; raise EnvironmentLacks if the file would be too long."""
        is_call = chunk.op <= Op.FREE
        events = chunk[is_call]  # without notes
        self._threads.add(chunk, self.count)
        self._shares.put(events, chunk)
        self._before.add(is_call, self.count)
        if not self._recorded:
            events.thread[:] = 0
        self.count += len(events)
        if self.count * EVENT.itemsize > self._max_bytes:
            raise EnvironmentLacks(
                f"the first {counted(self.count, 'event')} already need more than half of the "
                "available memory; compare a part of the trace (allocsim trace cut)"
            )
        append(self._descriptor, events)

    def finish(self) -> EventFile:
        """Insert the ends of threads, seal the file and return it."""
        recorded = self._recorded and self._threads.threads > 1
        notes, ends = self._threads.notes(self._trace) if recorded else ([], None)
        insert_notes(self._descriptor, self.count, notes)
        seal(self._descriptor)
        times = zip(self._before.calls.tolist(), self._nanoseconds.tolist(), strict=True)
        return EventFile(
            trace=self._trace,
            descriptor=self._descriptor,
            events=self.count,
            threads=self._threads.threads,
            at_once=self._threads.at_once(notes) if recorded else 1,
            recorded=recorded,
            ends=ends,
            times=[*times],
            knows_touched=self._shares.is_recorded,
            notes=[before for before, _ in notes],
        )


def new_file() -> int:
    """Return the descriptor of an empty file in memory, without a name."""
    return os.memfd_create("allocsim-events", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def seal(descriptor: int) -> None:
    """Make every later write to the file fail (see SEALS)."""
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)


def map_events(descriptor: int, first: int | None = None) -> Table[Event]:
    """Map the file of events, and read all its pages, so that the replay does not fault on them.

    `first` is as in EventFile: only that many rows are mapped.

    The mapping must be writable, because the compiled replay takes only writable arrays. The
    mapping is private, because a shared mapping of a sealed file cannot be writable. If a library
    writes to the events, it changes only this process's copy.
    """
    length = os.fstat(descriptor).st_size if first is None else first * EVENT.itemsize
    if not length:
        return no_events()
    flags, access = mmap.MAP_PRIVATE | NO_RESERVE, mmap.PROT_READ | mmap.PROT_WRITE
    mapping = mmap.mmap(descriptor, length, flags=flags, prot=access)
    events: Any = np.frombuffer(mapping, EVENT).view(np.recarray)
    events.op.max()  # reads every event, and so every page
    return events


def _times(trace: Trace) -> np.ndarray:
    """Return the points of the trace (see `recorded_times`), thinned out to MAX_TIMES or fewer."""
    points = np.array(recorded_times(trace.description), np.int64).reshape(-1, 2)
    return points[:: max(-(-len(points) // MAX_TIMES), 1)]


def append(descriptor: int, events: Any) -> None:
    """Append events to the file; raise EnvironmentLacks if memory is full."""
    rest = memoryview(events.tobytes())
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        # The file is in memory, but a limit on file sizes applies to it too.
        remedy = "; raise the limit (ulimit -f)" if error.errno == EFBIG else ""
        raise EnvironmentLacks(
            f"the events do not fit in memory: {error.strerror}{remedy}"
        ) from None
