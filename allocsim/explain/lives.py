"""The lives of objects: when and by which thread each was allocated, and when it is freed next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.core.tables import grown
from allocsim.events import Op, Trace

NEVER = 1 << 62
"""The event at which an object is freed that is never freed."""


@dataclass
class Lives:
    """What a trace says of the objects that are live after a number of events.

    Arrays are int64, by object id. The rows of objects that are not live mean nothing.
    """

    event: int
    """Events before the moment."""
    events: int = 0
    """Events of the whole trace."""
    clock: int = 0
    """Bytes requested by all allocations before the moment."""
    born: Any = None
    """Events before the object's allocation."""
    born_clock: Any = None
    """Bytes requested by all allocations before the object's own."""
    thread: Any = None
    """The thread that allocated the object, or resized it last."""
    site: Any = None
    """The site number of the call that allocated the object, or resized it last; 0 if unknown."""
    freed: Any = None
    """Events before the object's next free; NEVER if there is none."""


COLUMNS = ("born", "born_clock", "thread", "site")
"""The arrays that are 0 for an object that never lived."""


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
    """Note who allocates which object and when. NumPy keeps the last of several writes to a row."""
    clock = lives.clock + np.cumsum(calls.request) - calls.request
    placing = calls.op < Op.FREE
    lives.thread[calls.object[placing]] = calls.thread[placing]
    lives.site[calls.object[placing]] = sites[placing]
    bearing = calls.op < Op.REALLOC
    lives.born[calls.object[bearing]] = lives.events + np.flatnonzero(bearing)
    lives.born_clock[calls.object[bearing]] = clock[bearing]
    lives.clock += int(calls.request.sum())


def _note_frees(lives: Lives, calls: Any, first: int) -> None:
    """Note the first free of each object; the first of these calls has number `first`."""
    frees = np.flatnonzero(calls.op == Op.FREE)
    frees = frees[lives.freed[calls.object[frees]] == NEVER][::-1]
    lives.freed[calls.object[frees]] = first + frees
