"""Kernel that counts live objects by size: at one moment, and on average over all events.

The size of an object is its effective request, the number of bytes that selects its class. For
memalign, this is the request rounded up to the alignment. For realloc, it follows the rule of
gperftools: an object that stays in place keeps its size, and one that outgrows its block by less
than a quarter gets a block that is larger by a quarter. The sizes of the blocks are those of
the current table of classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.events import Event, Op

ROW_SHIFT = 3
"""A row of the histogram counts the objects of 2**ROW_SHIFT = 8 adjacent sizes."""


class CountedObject(Struct):
    """An object of the trace, live or not."""

    effective: Int64  # effective request; -1: the object is not live
    request: Int64  # requested bytes; 0 if the object is not live


class RowCount(Struct):
    """The objects of one row of sizes."""

    live: Int64  # objects live now
    since: Int64  # number of events that `total` covers
    total: Int64  # sum of `live` over these events


class Totals(Struct):
    """Totals of the events so far."""

    events: Int64  # number of events; notes (see Op) do not count
    live: Int64  # requested bytes that are live


class CountState(NamedTuple):
    """State of the counting."""

    totals: Table[Totals]  # one record
    live_sum: np.ndarray  # float64, one element: the sum of Totals.live over all events
    objects: Table[CountedObject]  # by object id
    rows: Table[RowCount]  # row r: sizes 8r - 7 to 8r; size 0 is in row 1
    class_sizes: np.ndarray  # int64: object sizes of the current classes, ascending


@kernel
def count_sizes(state: CountState, events: Table[Event], page_size: int) -> None:
    """Count the objects of these events; `state.objects` has a record for every object id."""
    totals = state.totals[0]
    for event in events:
        if event.op > Op.FREE:
            continue
        target = state.objects[event.object]
        size = _effective_size(state, target.effective, event, page_size)
        _change(state, target.effective, -1)
        _change(state, size, 1)
        target.effective = size
        request = 0 if event.op == Op.FREE else event.request
        totals.live += request - target.request
        target.request = request
        totals.events += 1
        state.live_sum[0] += totals.live


@kernel
def _effective_size(state: CountState, size: int, event: Event, page_size: int) -> int:
    """Return the effective request of the object after an event, or -1 after a free."""
    if event.op == Op.FREE:
        return -1
    if event.op == Op.MEMALIGN:
        alignment = 1 << int(event.alignment)
        return (max(event.request, 1) + alignment - 1) & -alignment
    if event.op != Op.REALLOC:
        return event.request
    block = _block(state, size, page_size)
    if block // 2 <= event.request <= block:
        return size
    if block < event.request < block + block // 4:
        return block + block // 4
    return event.request


@kernel
def _block(state: CountState, size: int, page_size: int) -> int:
    """Return the allocated size of a request of `size` bytes under the current table."""
    number = np.searchsorted(state.class_sizes, size)
    if number < len(state.class_sizes):
        return int(state.class_sizes[number])
    return (size + page_size - 1) & -page_size


@kernel
def _change(state: CountState, size: int, change: int) -> None:
    """Add `change` to the live objects of a size; sizes above the last row are not counted."""
    number = (max(size, 1) + 7) >> ROW_SHIFT
    if size < 0 or number >= len(state.rows):
        return
    row = state.rows[number]
    events = state.totals[0].events
    row.total += row.live * (events - row.since)
    row.since = events
    row.live += change
