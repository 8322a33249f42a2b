"""The units of a go2008 heap, for `allocsim explain`: its spans.

A unit is a piece of memory that becomes free only as a whole. A span of small objects never becomes
free: its freed objects stay on the lists of threads. Requests of other sizes can therefore never
use the memory of the span.
"""

from __future__ import annotations

import numpy as np

from allocsim.designs import Units
from allocsim.designs.go2008.pagemap import PAGE
from allocsim.designs.go2008.records import LARGE, Go2008, SpanState

NAMES = ("caches", "large_objects", "free_spans", "stacks")
"""Names of the parts of the heap to which spans without a live object belong: free objects on the
lists of threads, large objects, free spans, and stack segments. No span belongs to `large_objects`,
since the span of a large object has a live object."""


def units(heap: Go2008) -> Units:
    """Return the spans of the heap."""
    spans = heap.span[1 : int(heap.counters[0].spans) + 1]
    part = np.where(spans.size_class == LARGE, 1, 0)
    part[spans.state == SpanState.FREE] = 2
    part[spans.state == SpanState.STACK] = 3
    return Units(spans.address.copy(), spans.pages * PAGE, part, NAMES)
