"""The file of events: all events of a workload in memory (a memfd), which every child maps.

The workload is read once. The events that are only notes (see `events.Op`) are dropped, and all
others are put on one thread. The file has no name, so the kernel frees it when the last process
that has it open ends. The file is sealed, which makes every write to it fail. A library in a child
therefore cannot change the events that other children replay.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from allocsim.core.available_memory import available_memory
from allocsim.errors import EnvironmentLacks
from allocsim.events import EVENT, Op, Trace, closing_chunks, on_one_thread
from allocsim.signals import interrupt_message
from allocsim.text import counted

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


@dataclass(frozen=True)
class EventFile:
    """A workload that any number of children can replay."""

    trace: Trace
    """The trace, kept for its description and its `notes`. Its events have been read."""
    descriptor: int
    events: int
    """Number of events in the file."""
    threads: int = 1
    """Number of threads in the workload, before its events were put on one thread."""

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


def write_events(
    trace: Trace,
    progress: Callable[[int], None] | None = None,
    available: Callable[[], int] = available_memory,
) -> EventFile:
    """Read a whole workload into a file of events.

    After each chunk, `progress` is called with the number of events so far. Raises EnvironmentLacks
    if the file would take more than half of the available memory. The other half is left for the
    children: their tables and their heaps.
    """
    descriptor = os.memfd_create("allocsim-events", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    count, threads, room = 0, [0], available() // 2
    trace.chunks = _counting_threads(trace.chunks, threads)
    try:
        with interrupt_message(lambda: f"after {counted(count, 'event')} were read"):
            for chunk in on_one_thread(trace).chunks:
                events = chunk[chunk.op <= Op.FREE]  # without notes
                count += len(events)
                if count * EVENT.itemsize > room:
                    raise EnvironmentLacks(
                        f"the first {counted(count, 'event')} already need more than half of the "
                        "available memory; compare a part of the trace (allocsim trace cut)"
                    )
                _write(descriptor, events)
                if progress is not None:
                    progress(count)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        trace.close()
    return EventFile(trace, descriptor, count, max(threads))


def _counting_threads(chunks: Iterator[Any], threads: list[int]) -> Iterator[Any]:
    """Yield the chunks, and keep the number of threads seen so far in `threads[0]`."""
    with closing_chunks(chunks):
        for chunk in chunks:
            threads[0] = max(threads[0], int(chunk.thread.max(initial=0)) + 1)
            yield chunk


def _write(descriptor: int, events: Any) -> None:
    """Append events to the file; raise EnvironmentLacks if memory is full."""
    rest = memoryview(events.tobytes())
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        raise EnvironmentLacks(f"the events do not fit in memory: {error.strerror}") from None
