"""Slices of a trace: parts of its stream of events that are valid traces themselves.

A slice contains an object with all its calls or not at all:

    allocated before the slice                 left out; its calls in the slice count as dropped
    allocated in the slice, freed after it     left out; its calls in the slice count as dropped
    allocated in the slice, never freed        included, and live at the end
    allocated in the slice and freed in it     included

Only the events after the slice distinguish the second case from the third. Therefore, if a slice
ends before the stream does, the slice's events are buffered, at 17 bytes each, while the rest of
the stream is read. Reading stops early if every object of the slice has been freed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import grown, records
from allocsim.events import Event, Op, no_events

NO_END = 1 << 62
"""The value of `last` for a slice that extends to the end of the stream. No stream has this many
events."""

BORN_BEFORE = "born before the cut"
"""Reason for dropping the calls of an object that was allocated before the slice."""

FREED_AFTER = "freed after the cut"
"""Reason for dropping the calls of an object that is freed after the slice."""


class SliceState(Struct):
    """Counters of a slice."""

    first: Int64  # calls before the slice
    last: Int64  # calls before the end of the slice
    calls: Int64  # calls of the whole stream so far
    position: Int64  # first event of the current chunk that is not processed yet
    rows: Int64  # calls and notes (see `events.Op`) of the slice so far
    written: Int64  # calls and notes in the current output
    live: Int64  # objects allocated in the slice and not freed yet
    born_before: Int64  # calls dropped because their object was allocated before the slice
    freed_after: Int64  # calls dropped because their object is freed after the slice


class Tables(NamedTuple):
    """State of a slice. A row is a call or note of the slice, numbered from 0."""

    state: Table[SliceState]  # one row
    rows: np.ndarray  # int64 by object id: 1 + the row that allocates it; 0: not in the slice
    freed: np.ndarray  # bool by row: whether it allocates an object that is freed after the slice


class Slice:
    """The slice of a stream from call number `first` + 1 to call number `last`.

    A slice is used for one stream: call `of` only once.
    """

    def __init__(self, first: int, last: int) -> None:
        state = records(SliceState)
        state[0].first, state[0].last = first, last
        self._tables = Tables(state, np.zeros(1 << 12, np.int64), np.zeros(0, np.bool_))

    def dropped(self) -> dict[str, int]:
        """Return how many calls between `first` and `last` were dropped, by reason.

        The counts are complete once all events that `of` yields have been consumed.
        """
        state = self._tables.state[0]
        counts = {BORN_BEFORE: int(state.born_before), FREED_AFTER: int(state.freed_after)}
        return {reason: count for reason, count in counts.items() if count}

    def of(self, chunks: Iterator[Any]) -> Iterator[Any]:
        """Yield the events of `chunks` that are in the slice, chunk by chunk."""
        state, buffered = self._tables.state[0], list[Any]()
        for chunk in chunks:
            for part in self._within(chunk):
                if state.last == NO_END:  # nothing is freed after the slice
                    yield part
                else:
                    buffered.append(part.copy())
            if state.calls >= state.last:
                self._look_past_end(chunk)
                if state.live == 0:  # the fate of every object is known
                    break
        yield from self._whole_objects(buffered)

    def _within(self, chunk: Any) -> Iterator[Any]:
        """Yield the part of a chunk that is in the slice.

        The part may include objects that are freed after the slice.
        """
        state, out = self._tables.state[0], no_events(len(chunk))
        state.position = 0
        while state.position < len(chunk) and state.calls < state.last:
            take_slice(self._tables, chunk, out)
            if state.written:
                yield out[: state.written]
            if state.position < len(chunk) and state.calls < state.last:
                rows = grown(self._tables.rows, int(chunk[state.position].object) + 1)
                self._tables = self._tables._replace(rows=rows)

    def _look_past_end(self, chunk: Any) -> None:
        """Mark the objects of the slice that the rest of a chunk frees."""
        if len(self._tables.freed) == 0:
            freed = np.zeros(int(self._tables.state[0].rows), np.bool_)
            self._tables = self._tables._replace(freed=freed)
        mark_freed(self._tables, chunk)

    def _whole_objects(self, buffered: list[Any]) -> Iterator[Any]:
        """Yield the buffered events, except those of objects that are freed after the slice."""
        if not self._tables.freed.any():
            yield from buffered
            return
        # `drop_freed` counts the rows from 0 again, and marks objects in `tables.rows`.
        self._tables.rows[:] = 0
        self._tables.state[0].rows = 0
        for chunk in buffered:
            out = no_events(len(chunk))
            drop_freed(self._tables, chunk, out)
            if self._tables.state[0].written:
                yield out[: self._tables.state[0].written]


@kernel
def take_slice(tables: Tables, events: Table[Event], out: Table[Event]) -> None:
    """Copy the unprocessed events that are in the slice to `out`.

    Stops at an object id beyond `tables.rows`, and at the end of the slice.
    """
    state = tables.state[0]
    state.written = 0
    while state.position < len(events) and state.calls < state.last:
        event = events[state.position]
        is_call = event.op <= Op.FREE
        if is_call and event.object >= len(tables.rows):
            break
        if state.calls >= state.first:
            if is_call:
                _take_call(tables, state, event, out)
            else:
                _copy(state, event, out)
        state.calls += is_call
        state.position += 1


@kernel
def _take_call(tables: Tables, state: SliceState, event: Event, out: Table[Event]) -> None:
    """Copy a call of an object that was allocated in the slice, or is allocated by this call.

    Any other call is dropped and counted.
    """
    if event.op < Op.REALLOC:
        # In an invalid trace, the object may be live already.
        state.live += tables.rows[event.object] == 0
        tables.rows[event.object] = state.rows + 1
    elif tables.rows[event.object] == 0:
        state.born_before += 1
        return
    elif event.op == Op.FREE:
        state.live -= 1
        tables.rows[event.object] = 0
    _copy(state, event, out)


@kernel
def mark_freed(tables: Tables, events: Table[Event]) -> None:
    """Mark the allocations in the slice whose objects are freed by the unprocessed events."""
    state = tables.state[0]
    while state.position < len(events) and state.live:
        event = events[state.position]
        if event.op == Op.FREE and event.object < len(tables.rows) and tables.rows[event.object]:
            tables.freed[tables.rows[event.object] - 1] = True
            tables.rows[event.object] = 0
            state.live -= 1
        state.position += 1


@kernel
def drop_freed(tables: Tables, events: Table[Event], out: Table[Event]) -> None:
    """Copy the events, except those of objects whose allocation is marked in `tables.freed`.

    Rows are numbered from 0 again. `tables.rows` has another meaning here: the entry of an object
    is 1 while the object's calls are dropped, else 0.
    """
    state = tables.state[0]
    state.written = 0
    for position in range(len(events)):
        event = events[position]
        row = state.rows
        if event.op < Op.REALLOC:
            tables.rows[event.object] = tables.freed[row]
        if event.op <= Op.FREE and tables.rows[event.object]:
            state.freed_after += 1
            state.rows += 1
        else:
            _copy(state, event, out)


@kernel
def _copy(state: SliceState, event: Event, out: Table[Event]) -> None:
    """Append a copy of an event to `out`."""
    copy = out[state.written]
    copy.request, copy.object, copy.thread = event.request, event.object, event.thread
    copy.op, copy.alignment = event.op, event.alignment
    state.written += 1
    state.rows += 1
