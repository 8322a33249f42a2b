"""A stretch of a stream with whole objects only: each is in it with all its calls, or not at all.

Above `events`; below `pieces`, which numbers what is left anew.

    allocated before the stretch           absent; its later calls are counted
    allocated in it, freed behind its end  absent; its calls in the stretch are counted
    allocated in it, never freed           in it, and live at its end

Only what comes behind the stretch tells the last two apart. So the events of a stretch that ends
before the stream are held in memory, 17 bytes each, while the rest is read. Its one rule: no more
of the rest is read than it takes to know the fate of every object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Record
from allocsim.events import Op, no_events

ENDLESS = 1 << 62
"""An event that no stream reaches."""

BORN_BEFORE = "born before the cut"
"""Why a free or a reallocation is not in a piece, in the words of reports."""

FREED_AFTER = "freed after the cut"
"""Why the calls of an object that was allocated in a piece are not in it."""

STRETCH = np.dtype(
    [
        ("first", np.int64),  # calls before the stretch
        ("last", np.int64),  # calls up to its end
        ("calls", np.int64),  # calls of the whole so far
        ("position", np.int64),  # in the current chunk: the first event that was not looked at
        ("rows", np.int64),  # events and notes of the stretch so far
        ("written", np.int64),  # of those, in the current output
        ("live", np.int64),  # objects of the stretch whose free was not seen
        ("unborn", np.int64),  # calls left out since their object was allocated before
        ("unended", np.int64),  # calls left out since their object is freed after
    ],
    align=True,
)


class Cut(NamedTuple):
    """What is known of a stretch so far."""

    stretch: np.recarray  # one STRETCH
    births: np.ndarray  # int64, by object: the row of its allocation + 1; 0 if it is not in it
    freed: np.ndarray  # bool, by row: whether it allocates what is freed behind the stretch


class Stretch:
    """The events `first` to `last` of a stream, those of whole objects; it can be taken once."""

    def __init__(self, first: int, last: int) -> None:
        stretch = np.zeros(1, STRETCH).view(np.recarray)
        stretch.first, stretch.last = first, last
        self._cut = Cut(stretch, np.zeros(1 << 12, np.int64), np.zeros(0, np.bool_))

    def left_out(self) -> dict[str, int]:
        """Reason -> how many calls in the stretch are no part of it; complete at its end."""
        stretch = self._cut.stretch[0]
        counts = {BORN_BEFORE: int(stretch.unborn), FREED_AFTER: int(stretch.unended)}
        return {reason: count for reason, count in counts.items() if count}

    def of(self, chunks: Iterator[Any]) -> Iterator[Any]:
        """The stretch of these chunks, in chunks."""
        stretch, held = self._cut.stretch[0], list[Any]()
        for chunk in chunks:
            for part in self._within(chunk):
                if stretch.last == ENDLESS:  # nothing is freed behind it
                    yield part
                else:
                    held.append(part.copy())
            if stretch.calls >= stretch.last:
                self._look_behind(chunk)
                if stretch.live == 0:
                    break
        yield from self._whole_objects(held)

    def _within(self, chunk: Any) -> Iterator[Any]:
        """What is in the stretch of a chunk, whatever comes behind it."""
        stretch, out = self._cut.stretch[0], no_events(len(chunk))
        stretch.position = 0
        while stretch.position < len(chunk) and stretch.calls < stretch.last:
            take_stretch(self._cut, chunk, out)
            if stretch.written:
                yield out[: stretch.written]
            if stretch.position < len(chunk) and stretch.calls < stretch.last:
                births = longer(self._cut.births, int(chunk[stretch.position].object))
                self._cut = self._cut._replace(births=births)

    def _look_behind(self, chunk: Any) -> None:
        """Mark what is freed in the rest of a chunk."""
        if len(self._cut.freed) == 0:
            freed = np.zeros(int(self._cut.stretch[0].rows), np.bool_)
            self._cut = self._cut._replace(freed=freed)
        mark_freed(self._cut, chunk)

    def _whole_objects(self, held: list[Any]) -> Iterator[Any]:
        """What was held but for the objects that are freed behind the stretch."""
        if not self._cut.freed.any():
            yield from held
            return
        self._cut.births[:] = 0
        self._cut.stretch[0].rows = 0
        for chunk in held:
            out = no_events(len(chunk))
            leave_out_freed(self._cut, chunk, out)
            if self._cut.stretch[0].written:
                yield out[: self._cut.stretch[0].written]


def longer(table: np.ndarray, number: int) -> np.ndarray:
    """The same table with room for the object of that number."""
    longer = np.zeros(2 << number.bit_length(), np.int64)
    longer[: len(table)] = table
    return longer


@kernel
def take_stretch(cut: Cut, events: np.recarray, out: np.recarray) -> None:
    """Copy what is in the stretch of the events that were not looked at.

    It stops at an object beyond the table, and when the stretch is complete.
    """
    stretch = cut.stretch[0]
    stretch.written = 0
    while stretch.position < len(events) and stretch.calls < stretch.last:
        event = events[stretch.position]
        is_call = event.op <= Op.FREE
        if is_call and event.object >= len(cut.births):
            break
        if stretch.calls >= stretch.first:
            if is_call:
                _take_call(cut, stretch, event, out)
            else:
                _copy(stretch, event, out)
        stretch.calls += is_call
        stretch.position += 1


@kernel
def _take_call(cut: Cut, stretch: Record, event: Record, out: np.recarray) -> None:
    """Copy a call if its object was allocated in the stretch, or is now."""
    if event.op < Op.REALLOC:
        stretch.live += cut.births[event.object] == 0
        cut.births[event.object] = stretch.rows + 1
    elif cut.births[event.object] == 0:
        stretch.unborn += 1
        return
    elif event.op == Op.FREE:
        stretch.live -= 1
        cut.births[event.object] = 0
    _copy(stretch, event, out)


@kernel
def mark_freed(cut: Cut, events: np.recarray) -> None:
    """Mark the allocations whose objects are freed by the events that were not looked at."""
    stretch = cut.stretch[0]
    while stretch.position < len(events) and stretch.live:
        event = events[stretch.position]
        if event.op == Op.FREE and event.object < len(cut.births) and cut.births[event.object]:
            cut.freed[cut.births[event.object] - 1] = True
            cut.births[event.object] = 0
            stretch.live -= 1
        stretch.position += 1


@kernel
def leave_out_freed(cut: Cut, events: np.recarray, out: np.recarray) -> None:
    """Copy the events but for those of objects whose allocation is marked.

    The rows are counted anew; `births` holds, by object, 1 while it is one that is left out.
    """
    stretch = cut.stretch[0]
    stretch.written = 0
    for position in range(len(events)):
        event = events[position]
        row = stretch.rows
        if event.op < Op.REALLOC:
            cut.births[event.object] = cut.freed[row]
        if event.op <= Op.FREE and cut.births[event.object]:
            stretch.unended += 1
            stretch.rows += 1
        else:
            _copy(stretch, event, out)


@kernel
def _copy(stretch: Record, event: Record, out: np.recarray) -> None:
    """Write an event as it is."""
    copy = out[stretch.written]
    copy.request, copy.object, copy.thread = event.request, event.object, event.thread
    copy.op, copy.alignment = event.op, event.alignment
    stretch.written += 1
    stretch.rows += 1
