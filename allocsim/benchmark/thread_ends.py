"""The ends of a workload's threads, recorded or inferred. They are put into the file of events.

Most recorders do not see when a thread ends. If all threads stayed alive to the end of the replay,
their caches and arenas would count as footprint until then. A program with a pool of 200 threads
took 28 MiB under tcmalloc, but its replay took 105 MiB. In the traces of these recorders, every
thread but the first is therefore assumed to end after its last event. A thread may in fact have
lived on without calling the allocator.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from allocsim.events import EVENT, MAX_THREADS, Op, Trace, no_events

INFERRED = (
    "the recording does not say when threads end, so each thread except the first was ended after "
    "its last event; a thread that only waits counts as ended"
)
"""Warning about a replay whose ends of threads are inferred."""

Note = tuple[int, int]
"""The end of a thread: the number of events before it, and the thread's number."""


class ThreadEnds:
    """The threads of a trace that is read in chunks of events, and the ends of these threads."""

    def __init__(self) -> None:
        self.threads = 0
        """Number of threads so far."""
        self._recorded: list[Note] = []
        self._first = np.full(MAX_THREADS, -1, np.int64)
        """For each thread: number of events before its first one, or -1 if it has no event."""
        self._last = np.full(MAX_THREADS, -1, np.int64)
        """For each thread: number of events up to its last one, or -1 if it has no event."""

    def add(self, chunk: Any, before: int) -> None:
        """Add a chunk of events and thread ends; `before` counts the events before the chunk."""
        is_event = chunk.op <= Op.FREE
        count = before + np.cumsum(is_event)
        threads = chunk.thread[is_event]
        if len(threads):
            self.threads = max(self.threads, int(threads.max()) + 1)
        is_new = self._first[threads] < 0
        # NumPy keeps the last value for a repeated index. Reversed arrays therefore keep the first.
        self._first[threads[is_new][::-1]] = count[is_event][is_new][::-1] - 1
        self._last[threads] = count[is_event]
        ends = chunk.op == Op.THREAD_DONE
        self._recorded += zip(count[ends].tolist(), chunk.thread[ends].tolist(), strict=True)

    def notes(self, trace: Trace) -> tuple[list[Note], str | None]:
        """Return the ends in order, and where they come from (see `EventFile.ends`)."""
        if self._recorded:
            return self._recorded, "recorded"
        is_recording = trace.description.get("kind") == "trace"
        if not is_recording or trace.capabilities.thread_ends == "yes":
            return [], None
        numbers = np.flatnonzero(self._last >= 0)[1:]
        ends = zip(self._last[numbers].tolist(), numbers.tolist(), strict=True)
        return sorted(ends), "inferred"

    def at_once(self, notes: Sequence[Note]) -> int:
        """Return the maximum number of threads that are alive at once; `notes` are their ends.

        A thread is alive from its first event to its end. If it has several ends in `notes`, the
        last one counts. A thread without an end stays alive.
        """
        begins = {
            int(thread): int(self._first[thread]) for thread in np.flatnonzero(self._last >= 0)
        }
        ends = {thread: before for before, thread in notes if thread in begins}
        changes = [(before, 1) for before in begins.values()]
        changes += [(before, -1) for before in ends.values()]
        return max(accumulate(change for _, change in sorted(changes)), default=0)


def insert_notes(file: int, events: int, notes: list[Note]) -> None:
    """Insert the ends of threads into a file that holds `events` events."""
    if not notes:
        return
    size = EVENT.itemsize
    os.ftruncate(file, size * (events + len(notes)))
    with mmap.mmap(file, 0) as content:
        end = events
        for index in range(len(notes), 0, -1):
            begin, thread = notes[index - 1]
            content.move(size * (begin + index), size * begin, size * (end - begin))
            note = no_events(1)
            note.op, note.thread = Op.THREAD_DONE, thread
            content[size * (begin + index - 1) : size * (begin + index)] = note.tobytes()
            end = begin
