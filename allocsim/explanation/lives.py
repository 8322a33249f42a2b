"""The lives of live objects: when and on which thread each was allocated, and when it is freed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.records import Int64, Struct, Table, UInt32
from allocsim.core.tables import records
from allocsim.errors import Corruption
from allocsim.events import Event, Op, Trace
from allocsim.player import NEVER


@dataclass(frozen=True)
class Lives:
    """The lives of the objects that are live at a moment: after `event` events of a trace.

    Arrays are by object id. Only the elements of these live objects are defined.
    """

    event: int
    """Number of events before the moment."""
    events: int
    """Number of events of the whole trace."""
    threads: int
    """Number of threads of the whole trace."""
    clock: int
    """Bytes requested by all calls before the moment."""
    born: Any
    """Number of events before the object's allocation."""
    born_clock: Any
    """Bytes requested by all calls before the object's allocation."""
    thread: Any
    """The thread that allocated the object, or resized it last."""
    site: Any
    """The site number of the call that allocated the object, or resized it last, or 0 if
    unknown."""
    freed: Any
    """Number of events before the free of the object; NEVER if the object is not freed."""


class Life(Struct):
    """The life of an object, as in `Lives`: one record, so that a call touches one cache line."""

    born: Int64
    born_clock: Int64
    freed: Int64
    site: UInt32
    thread: UInt32


class Progress(Struct):
    """The progress of reading a trace."""

    moment: Int64  # number of events before the moment
    events: Int64  # number of events read
    clock: Int64  # bytes requested by the events before the moment


def read_lives(trace: Trace, event: int, ids: int) -> Lives:
    """Read a whole trace and return the lives of the objects that are live after `event` events.

    `ids` is the length of the arrays: 1 more than the highest id of an object in the heap. Raises
    Corruption if the trace does not have this highest id.
    """
    lives, progress, highest, thread = table(Life, max(ids, 1)), records(Progress), -1, -1
    progress.moment = event
    for chunk in trace.chunks:
        highest = max(highest, int(chunk.object.max(initial=0)))
        thread = max(thread, int(chunk.thread.max(initial=0)))
        follow(lives, chunk, sites_of(trace, chunk), progress)
    if highest < ids - 1:
        raise Corruption(f"after event {event}, the heap has an object that no event allocated")
    columns = {name: lives[name] for name in Life.dtype.names or ()}
    read = progress[0]
    return Lives(event, int(read.events), thread + 1, int(read.clock), **columns)


def sites_of(trace: Trace, chunk: Any) -> np.ndarray:
    """Return the site number of each event of the next chunk; all 0 if the trace has no sites."""
    if trace.sites is None:
        return np.zeros(len(chunk), np.uint32)
    numbers: np.ndarray = trace.sites.of(chunk)
    return numbers


@kernel
def follow(
    lives: Table[Life], chunk: Table[Event], sites: np.ndarray, progress: Table[Progress]
) -> None:
    """Record allocations before the moment, and the first free of each object after the moment."""
    read = progress[0]
    for index in range(len(chunk)):
        call = chunk[index]
        if call.op > Op.FREE:
            continue
        is_before = read.events < read.moment
        if call.object < len(lives):
            life = lives[call.object]
            if not is_before:
                if call.op == Op.FREE and life.freed == NEVER:
                    life.freed = read.events
            elif call.op < Op.FREE:
                life.site, life.thread = sites[index], call.thread
                if call.op < Op.REALLOC:
                    life.born, life.born_clock, life.freed = read.events, read.clock, NEVER
        if is_before:
            read.clock += call.request
        read.events += 1
