"""The surveyor: takes a stream chunk by chunk and says what was in it.

Above the kernel in `survey`. Its one rule: it takes any stream, sound or not; who cannot use one
that is not asks `require_sound`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.errors import EnvironmentLacks, InputError
from allocsim.events import MAX_OBJECTS, Op, Trace, no_events
from allocsim.trace_stats_kernel import (
    BIN,
    BINS,
    Fault,
    count_left,
    look,
    nothing_seen,
    records,
    with_room_for,
)

FAULT_MEANINGS = {
    Fault.BORN_TWICE: "allocates an object that is live",
    Fault.FREED_DEAD: "frees an object that is not live",
    Fault.RESIZED_DEAD: "resizes an object that is not live",
    Fault.TOO_MUCH: "brings more bytes to life than any machine can hold",
}
"""What an event does that cannot be, in the words of messages."""


@dataclass(frozen=True)
class Bin:
    """A bin of a histogram: numbers from `least` to `most`."""

    least: int
    most: int
    count: int
    bytes: int


@dataclass(frozen=True)
class Survey:
    """What is in a stream of events."""

    events: int
    """Calls that reach the heap; notes are none."""
    operations: dict[str, int]
    """Events and notes by the name of their Op."""
    objects: int
    """Object numbers used."""
    thread_numbers: int
    """One more than the largest thread number."""
    threads: int
    """Threads that called."""
    requested: int
    """Bytes asked for, by reallocations too."""
    peak_live: int
    """The most bytes asked for and not freed."""
    peak_event: int
    """Events done when they were first reached."""
    live_objects: int
    """Objects never freed."""
    live_bytes: int
    """Their bytes."""
    frees_by_another: int
    """Frees by another thread than the one that allocated or last resized the object."""
    lifetimes: int
    """Sum of the lifetimes of the objects that were freed: events from allocation to free."""
    longest: int
    """The longest of them."""
    by_size: list[Bin]
    """Calls that ask for memory, by the bytes of one."""
    by_lifetime: list[Bin]
    """Objects that were freed, by lifetime."""
    left_by_size: list[Bin]
    """Objects never freed, by size."""
    faults: dict[str, tuple[int, int]]
    """What cannot be -> how often, and the number of the first such event."""

    @property
    def allocations(self) -> int:
        """Calls of malloc, calloc and memalign."""
        return sum(self.operations[op.name] for op in (Op.MALLOC, Op.CALLOC, Op.MEMALIGN))

    @property
    def reallocations(self) -> int:
        """Calls that resize an object."""
        return self.operations[Op.REALLOC.name]

    @property
    def frees(self) -> int:
        """Calls that free an object."""
        return self.operations[Op.FREE.name]

    @property
    def mean_lifetime(self) -> float:
        """The mean lifetime of the objects that were freed; 0 if none was."""
        count = sum(one.count for one in self.by_lifetime)
        return self.lifetimes / count if count else 0.0

    @property
    def median_lifetime(self) -> int:
        """The end of the bin in which the middle one of the freed objects is; 0 if none was."""
        half = (sum(one.count for one in self.by_lifetime) + 1) // 2
        for one in self.by_lifetime:
            half -= one.count
            if half <= 0:
                return one.most
        return 0


class Surveyor:
    """Looks at a stream chunk by chunk."""

    def __init__(self) -> None:
        self._seen = nothing_seen()
        look(self._seen, no_events(), 0)

    @property
    def events(self) -> int:
        """Calls seen so far."""
        return int(self._seen.tally[0].events)

    def take(self, chunk: Any) -> None:
        """Look at the next chunk."""
        position = look(self._seen, chunk, 0)
        while position < len(chunk):
            self._make_room(int(chunk[position].object))
            position = look(self._seen, chunk, position)

    def _make_room(self, number: int) -> None:
        """Let the table hold the object of that number."""
        where = f"event {self.events + 1} names object {number}"
        if number >= MAX_OBJECTS:
            raise InputError(f"{where}: there are 2**31")
        try:
            self._seen = with_room_for(self._seen, number)
        except MemoryError:
            raise EnvironmentLacks(
                f"{where}: the machine has no memory for a table of so many"
            ) from None

    def require_sound(self, name: str) -> None:
        """InputError, naming the first event that cannot be, if there was one."""
        for fault, found in zip(Fault, self._seen.faults, strict=True):
            if found.count:
                raise InputError(
                    f"{name}: event {found.first:,} {FAULT_MEANINGS[fault]}; "
                    "`allocsim trace check` tells all that is wrong"
                )

    def survey(self) -> Survey:
        """What was seen so far."""
        seen, tally = self._seen, self._seen.tally[0]
        left = records(BIN, BINS)
        count_left(seen, left)
        threads = np.flatnonzero(seen.threads)
        return Survey(
            operations={op.name: int(seen.operations[op]) for op in Op},
            thread_numbers=int(threads[-1]) + 1 if len(threads) else 0,
            threads=len(threads),
            by_size=_bins(seen.sizes),
            by_lifetime=_bins(seen.lifetimes),
            left_by_size=_bins(left),
            faults={
                FAULT_MEANINGS[fault]: (int(found.count), int(found.first))
                for fault, found in zip(Fault, seen.faults, strict=True)
                if found.count
            },
            **{name: int(tally[name]) for name in tally.dtype.names},
        )


def survey(trace: Trace) -> Survey:
    """What is in a whole trace, which is at its end then."""
    surveyor = Surveyor()
    try:
        for chunk in trace.chunks:
            surveyor.take(chunk)
    finally:
        trace.close()
    return surveyor.survey()


def _bins(found: Any) -> list[Bin]:
    """The bins from the first that is used to the last."""
    used = np.flatnonzero(found["count"])
    if len(used) == 0:
        return []
    return [
        Bin(_least(place), _most(place), int(found[place]["count"]), int(found[place]["bytes"]))
        for place in range(used[0], used[-1] + 1)
    ]


def _most(place: int) -> int:
    """The largest number in a bin."""
    return 1 << (place - 1) if place else 0


def _least(place: int) -> int:
    """The smallest number in a bin."""
    return _most(place - 1) + 1 if place else 0
