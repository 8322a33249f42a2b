"""The lives of objects: the allocation, the thread and the next free of each live object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.core.tables import grown
from allocsim.events import Op, Trace
from allocsim.player import NEVER


@dataclass
class Lives:
    """The lives of the objects that are live after `event` events of a trace.

    Arrays are int64, by object id. The rows of objects that are not live are undefined.
    """

    event: int
    """Number of events before the moment."""
    events: int = 0
    """Number of events of the whole trace."""
    clock: int = 0
    """Bytes requested by all calls before the moment."""
    born: Any = None
    """Number of events before the object's allocation."""
    born_clock: Any = None
    """Bytes requested by all calls before the object's allocation."""
    thread: Any = None
    """The thread that allocated the object, or resized it last."""
    site: Any = None
    """The site number of the call that allocated the object, or resized it last; 0 if unknown."""
    freed: Any = None
    """Number of events before the object's next free; NEVER if it is not freed."""


COLUMNS = ("born", "born_clock", "thread", "site")
"""The arrays of Lives that are 0 for an id that has not been used."""


def read_lives(trace: Trace, event: int) -> Lives:
    """Read a trace and return the lives of the objects that are live after `event` events."""
    lives = Lives(event)
    for name in COLUMNS:
        setattr(lives, name, np.zeros(1, np.int64))
    lives.freed = np.full(1, NEVER)
    for chunk in trace.chunks:
        is_call = chunk.op <= Op.FREE
        calls, sites = chunk[is_call], sites_of(trace, chunk)[is_call]
        _grow(lives, int(calls.object.max(initial=0)) + 1)
        before = min(max(event - lives.events, 0), len(calls))
        _note_allocations(lives, calls[:before], sites[:before])
        _note_frees(lives, calls[before:], lives.events + before)
        lives.events += len(calls)
    return lives


def sites_of(trace: Trace, chunk: Any) -> np.ndarray:
    """Return the site number of each event of the next chunk; all 0 if the trace has none."""
    if trace.sites is None:
        return np.zeros(len(chunk), np.uint32)
    numbers: np.ndarray = trace.sites.of(chunk)
    return numbers


def _grow(lives: Lives, count: int) -> None:
    """Grow the arrays to at least `count` rows."""
    old = len(lives.born)
    if count <= old:
        return
    for name in (*COLUMNS, "freed"):
        setattr(lives, name, grown(getattr(lives, name), count))
    lives.freed[old:] = NEVER


def _note_allocations(lives: Lives, calls: Any, sites: np.ndarray) -> None:
    """Record the allocations and resizes before the moment.

    An id may occur several times. NumPy then keeps the last value, which is the one needed here.
    """
    clock = lives.clock + np.cumsum(calls.request) - calls.request
    placing = calls.op < Op.FREE
    lives.thread[calls.object[placing]] = calls.thread[placing]
    lives.site[calls.object[placing]] = sites[placing]
    bearing = calls.op < Op.REALLOC
    lives.born[calls.object[bearing]] = lives.events + np.flatnonzero(bearing)
    lives.born_clock[calls.object[bearing]] = clock[bearing]
    lives.clock += int(calls.request.sum())


def _note_frees(lives: Lives, calls: Any, first: int) -> None:
    """Record the first free of each object after the moment; `calls` begin after `first` events."""
    frees = np.flatnonzero(calls.op == Op.FREE)
    frees = frees[lives.freed[calls.object[frees]] == NEVER][::-1]
    lives.freed[calls.object[frees]] = first + frees
