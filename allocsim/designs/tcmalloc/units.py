"""The units of a tcmalloc heap (see `designs.Units`) are all spans that are not released."""

from __future__ import annotations

import numpy as np

from allocsim.designs import Units
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import LIST_HEADS

NAMES = ("caches", "library_objects", "free_spans", "stacks")
"""Names of the parts to which spans without a live object belong. "caches": spans of small objects.
All their objects are free in caches, or belong to the startup state. "library_objects": large
objects of the startup state. "free_spans": free spans. "stacks": stack segments."""


def units(heap: Tcmalloc) -> Units:
    """Return the spans of the heap."""
    spans = heap.span[LIST_HEADS + 1 : int(heap.page_heap[0].last_span) + 1]
    is_unit = ~np.isin(spans.state, (SpanState.NONE, SpanState.RETURNED, SpanState.LIST))
    state, size_class = spans.state[is_unit], spans.size_class[is_unit]
    part = np.where(size_class == 0, 1, 0)
    part[state == SpanState.FREE] = 2
    part[state == SpanState.STACK] = 3
    return Units(spans.address[is_unit], spans.pages[is_unit] * PAGE, part, NAMES)
