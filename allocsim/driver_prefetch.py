"""Prefetching for events to come: the driver knows them, so it can load their records early.

Without it, each event in a heap of gigabytes waits for memory several times: for the row of the
object, for the page map, for the span. The results are the same; only the time changes.
"""

from __future__ import annotations

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.prefetch import prefetch
from allocsim.core.records import HeapState, Table
from allocsim.driver_records import Object

MANY_OBJECTS = 1 << 16
"""Rows of the object table, 1 MiB, beyond which the driver prefetches."""

FAR, MIDDLE, NEAR = 24, 16, 8
"""Events before an event at which the row of its object is prefetched, then what the row leads to
in two steps (see `operations.prefetch`)."""


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
    """Return the object of the event at `position`, or of the last event."""
    return int(events[min(position, len(events) - 1)].object)
