"""Objects that a forked child inherits: the objects that are live in its parent at the fork."""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table, UInt8
from allocsim.core.tables import grown, records
from allocsim.events import Event, Op, no_events


class Kept(Struct):
    """The last object that had a certain id. It may have been freed."""

    request: Int64  # requested bytes
    live: UInt8  # 1 if the object is live, else 0
    alignment: UInt8  # log2 of the alignment in bytes if MEMALIGN allocated the object; else 0


class LiveObjects:
    """The live objects of a stream of events."""

    def __init__(self) -> None:
        self._objects = records(Kept, 1 << 12)

    def add(self, events: Any) -> None:
        """Update the live objects by the next events of the stream."""
        highest = int(events.object.max(initial=0))
        if highest >= len(self._objects):
            self._objects = grown(self._objects, highest + 1)
        _follow(self._objects, events)

    def events(self, thread: int = 0) -> Any:
        """Return events by which `thread` allocates the live objects, in the order of their ids."""
        objects: Any = self._objects
        numbers = np.flatnonzero(objects.live)
        made = no_events(len(numbers))
        made.object[:] = numbers
        made.request[:] = objects.request[numbers]
        made.alignment[:] = objects.alignment[numbers]
        made.op[:] = np.where(made.alignment > 0, Op.MEMALIGN, Op.MALLOC)
        made.thread[:] = thread
        return made


@kernel
def _follow(objects: Table[Kept], events: Table[Event]) -> None:
    """Apply the events to the table of objects."""
    for position in range(len(events)):
        event = events[position]
        if event.op <= Op.FREE:
            target = objects[event.object]
            target.live = event.op != Op.FREE
            target.request = event.request
            if event.op < Op.REALLOC:
                target.alignment = event.alignment
