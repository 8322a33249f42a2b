"""Statistics of a stream of events, collected chunk by chunk.

An event is a call of the allocator, or a note between calls (see `allocsim.events`). The stream may
be invalid; its faults are counted too. A caller that needs a valid stream calls
`StatsCollector.require_valid`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.core.records import Table
from allocsim.core.tables import records
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.events import MAX_OBJECTS, Op, Trace, no_events
from allocsim.trace_stats_kernel import (
    BINS,
    BinCount,
    Fault,
    count_events,
    count_live,
    new_state,
    with_room_for,
)

FAULT_MEANINGS = {
    Fault.ALLOCATED_TWICE: "allocates an object that is live",
    Fault.FREED_TWICE: "frees an object that is not live",
    Fault.RESIZED_DEAD: "resizes an object that is not live",
    Fault.TOO_LARGE: "makes more bytes live than any machine can hold",
}
"""A verb phrase for each fault. In a message, it follows the number of the event."""


@dataclass(frozen=True)
class Bin:
    """A bin of a histogram: the numbers from `least` to `most`. The field names are JSON keys."""

    least: int
    most: int
    count: int
    bytes: int


@dataclass(frozen=True)
class TraceStats:
    """Statistics of a stream of events."""

    events: int
    """Number of calls. The notes between them are not counted."""
    operations: dict[str, int]
    """Number of calls and notes, by the name of their Op."""
    objects: int
    """The highest object id plus one."""
    thread_numbers: int
    """The highest thread number plus one."""
    threads: int
    """Number of threads that make calls."""
    requested: int
    """Requested bytes, including those of reallocations."""
    peak_live: int
    """Maximum of the live bytes."""
    peak_event: int
    """Number of the event at which `peak_live` was first reached, counted from 1."""
    live_objects: int
    """Number of objects that are never freed."""
    live_bytes: int
    """Bytes of the objects that are never freed."""
    frees_by_another: int
    """Number of frees by a thread other than the one that last allocated or resized the object."""
    lifetimes: int
    """Sum of the lifetimes of the freed objects. A lifetime is the number of events from
    allocation to free."""
    longest: int
    """Longest lifetime of a freed object."""
    by_size: list[Bin]
    """Calls that allocate or resize, by size."""
    by_lifetime: list[Bin]
    """Freed objects, by lifetime."""
    left_by_size: list[Bin]
    """Objects never freed, by size."""
    faults: dict[str, tuple[int, int]]
    """For each fault: how many events have it, and the number of the first such event."""

    @property
    def allocations(self) -> int:
        """Number of calls of malloc, calloc and memalign."""
        return sum(self.operations[op.name] for op in (Op.MALLOC, Op.CALLOC, Op.MEMALIGN))

    @property
    def reallocations(self) -> int:
        """Number of calls that resize an object."""
        return self.operations[Op.REALLOC.name]

    @property
    def frees(self) -> int:
        """Number of calls that free an object."""
        return self.operations[Op.FREE.name]

    @property
    def mean_lifetime(self) -> float:
        """Mean lifetime of the freed objects, or 0 if no object is freed."""
        count = sum(entry.count for entry in self.by_lifetime)
        return self.lifetimes / count if count else 0.0

    @property
    def median_lifetime(self) -> int:
        """Median lifetime of the freed objects, rounded up to the largest number in its bin.

        The result is 0 if no object is freed.
        """
        half = (sum(entry.count for entry in self.by_lifetime) + 1) // 2
        for entry in self.by_lifetime:
            half -= entry.count
            if half <= 0:
                return entry.most
        return 0


class StatsCollector:
    """Collects the statistics of a stream chunk by chunk."""

    def __init__(self) -> None:
        self._state = new_state()
        # Compile the kernel, or load it from the cache, before the first chunk arrives.
        count_events(self._state, no_events(), 0)

    @property
    def events(self) -> int:
        """Number of calls so far."""
        return int(self._state.totals[0].events)

    @property
    def live(self) -> tuple[int, int]:
        """Number of objects that are live now, and their bytes."""
        totals = self._state.totals[0]
        return int(totals.live_objects), int(totals.live_bytes)

    def add(self, chunk: Any) -> None:
        """Count the events of the next chunk."""
        position = count_events(self._state, chunk, 0)
        while position < len(chunk):
            self._make_room(int(chunk[position].object))
            position = count_events(self._state, chunk, position)

    def _make_room(self, number: int) -> None:
        """Enlarge the table of objects to have a row for the id `number`.

        Raises InputError if the id is too large, and EnvironmentLacks if memory is not enough.
        """
        where = f"event {self.events + 1} names object {number}"
        if number >= MAX_OBJECTS:
            raise InputError(f"{where}; expected an id below 2**31")
        try:
            self._state = with_room_for(self._state, number)
        except MemoryError:
            raise EnvironmentLacks(f"{where}: not enough memory for a table of that size") from None

    def require_valid(self, name: str) -> None:
        """Raise InputError if an event has a fault; the message gives the first such event."""
        for fault, entry in zip(Fault, self._state.faults, strict=True):
            if entry.count:
                raise InputError(
                    f"{name}: event {entry.first:,} {FAULT_MEANINGS[fault]}; "
                    "`allocsim trace check` lists all defects"
                )

    def stats(self) -> TraceStats:
        """Return the statistics so far."""
        state, totals = self._state, self._state.totals[0]
        left = records(BinCount, BINS)
        count_live(state, left)
        threads = np.flatnonzero(state.threads)
        return TraceStats(
            operations={op.name: int(state.operations[op]) for op in Op},
            thread_numbers=int(threads[-1]) + 1 if len(threads) else 0,
            threads=len(threads),
            by_size=_bins(state.sizes),
            by_lifetime=_bins(state.lifetimes),
            left_by_size=_bins(left),
            faults={
                FAULT_MEANINGS[fault]: (int(entry.count), int(entry.first))
                for fault, entry in zip(Fault, state.faults, strict=True)
                if entry.count
            },
            **{name: int(totals[name]) for name in totals.dtype.names or ()},
        )


def collect_stats(trace: Trace) -> TraceStats:
    """Return the statistics of a whole trace, which is consumed and closed."""
    collector = StatsCollector()
    try:
        for chunk in trace.chunks:
            collector.add(chunk)
    finally:
        trace.close()
    return collector.stats()


def _bins(counts: Table[BinCount]) -> list[Bin]:
    """Return the bins from the first to the last non-empty one."""
    used = np.flatnonzero(counts["count"])
    if len(used) == 0:
        return []
    return [
        Bin(_least(index), _most(index), int(counts[index].count), int(counts[index].bytes))
        for index in range(used[0], used[-1] + 1)
    ]


def _most(index: int) -> int:
    """Return the largest number in a bin."""
    return 1 << (index - 1) if index else 0


def _least(index: int) -> int:
    """Return the smallest number in a bin."""
    return _most(index - 1) + 1 if index else 0
