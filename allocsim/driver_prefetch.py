"""Prefetching: the driver loads later events, and records for them, early.

The loop itself prefetches the events (EVENTS_AHEAD). In a heap of gigabytes, each event would also
wait for memory several times: for the row of its object in the object table, for the page map, and
for the span. `prefetch_ahead` therefore prefetches these. Prefetching changes only the time, not
the results.
"""

from __future__ import annotations

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.prefetch import prefetch
from allocsim.core.records import HeapState, Table
from allocsim.driver_records import Object

EVENTS_AHEAD = 32
"""Number of events by which the loop prefetches the events.

The CPU prefetches sequential memory too, but not early enough. It can predict poorly whether the
next event is an allocation or a free, and it corrects a wrong prediction only when the event has
been loaded. For a replay of `systemui.zip` (see the README) on glibc, this prefetch saves 5% of the
time.
"""

MANY_OBJECTS = 1 << 16
"""The driver prefetches records only if the object table has more rows than this (1 MiB)."""

FAR, MIDDLE, NEAR = 24, 16, 8
"""Numbers of events by which the driver prefetches records. For each event, it prefetches the row
in the object table first (FAR), then the heap's records in two steps (MIDDLE, NEAR; see
`operations.prefetch`)."""


@kernel
def prefetch_ahead(
    heap: HeapState, objects: Table[Object], events: np.recarray, position: int
) -> int:
    """Prefetch for the events after `position`; return a Status."""
    prefetch(objects, _object_at(events, position + FAR))
    last = len(objects) - 1
    middle = objects[min(_object_at(events, position + MIDDLE), last)].address
    operations.prefetch(heap, middle, False)
    near = objects[min(_object_at(events, position + NEAR), last)].address
    return operations.prefetch(heap, near, True)


@kernel
def _object_at(events: np.recarray, position: int) -> int:
    """Return the object of the event at `position`; after the end, that of the last event."""
    return int(events[min(position, len(events) - 1)].object)
