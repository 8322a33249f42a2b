"""The lives of objects: when and by which thread each was allocated, and when it is freed next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.core.tables import grown
from allocsim.events import Op

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
    freed: Any = None
    """Events before the object's next free; NEVER if there is none."""


def read_lives(chunks: Iterable[Any], event: int) -> Lives:
    """Read a trace and return the lives of the objects that are live after `event` events."""
    lives = Lives(event)
    for name in ("born", "born_clock", "thread"):
        setattr(lives, name, np.zeros(1, np.int64))
    lives.freed = np.full(1, NEVER)
    for chunk in chunks:
        calls = chunk[chunk.op <= Op.FREE]
        _grow(lives, int(calls.object.max(initial=0)) + 1)
        before = min(max(event - lives.events, 0), len(calls))
        _note_allocations(lives, calls[:before])
        _note_frees(lives, calls[before:], lives.events + before)
        lives.events += len(calls)
    return lives


def _grow(lives: Lives, count: int) -> None:
    """Grow the arrays to at least `count` rows."""
    old = len(lives.born)
    if count <= old:
        return
    for name in ("born", "born_clock", "thread", "freed"):
        setattr(lives, name, grown(getattr(lives, name), count))
    lives.freed[old:] = NEVER


def _note_allocations(lives: Lives, calls: Any) -> None:
    """Note who allocates which object and when. NumPy keeps the last of several writes to a row."""
    clock = lives.clock + np.cumsum(calls.request) - calls.request
    placing = calls.op < Op.FREE
    lives.thread[calls.object[placing]] = calls.thread[placing]
    bearing = calls.op < Op.REALLOC
    lives.born[calls.object[bearing]] = lives.events + np.flatnonzero(bearing)
    lives.born_clock[calls.object[bearing]] = clock[bearing]
    lives.clock += int(calls.request.sum())


def _note_frees(lives: Lives, calls: Any, first: int) -> None:
    """Note the first free of each object; the first of these calls has number `first`."""
    frees = np.flatnonzero(calls.op == Op.FREE)
    frees = frees[lives.freed[calls.object[frees]] == NEVER][::-1]
    lives.freed[calls.object[frees]] = first + frees
