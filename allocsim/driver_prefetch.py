"""Prefetching: the driver loads records for later events early, because it knows the events.

Without prefetching, each event in a heap of gigabytes waits for memory several times: for the row
of its object in the object table, for the page map, and for the span. Prefetching changes only the
time, not the results.
"""

from __future__ import annotations

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.prefetch import prefetch
from allocsim.core.records import HeapState, Table
from allocsim.driver_records import Object

MANY_OBJECTS = 1 << 16
"""The driver prefetches only if the object table has more rows than this (1 MiB)."""

FAR, MIDDLE, NEAR = 24, 16, 8
"""Numbers of events by which the driver prefetches ahead. For each event, it prefetches the row in
the object table first (FAR), then the heap's records in two steps (MIDDLE, NEAR; see
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
