"""The units of a go heap: its spans, which become free only as a whole (see `designs.Units`).

Pages outside all spans are free.
"""

from __future__ import annotations

import numpy as np

from allocsim.designs import Units
from allocsim.designs.go.records import STACK, Go
from allocsim.designs.go.size_classes import PAGE, PAGE_SHIFT

NAMES = ("dead_or_free_objects", "dead_large_objects", "stacks")
"""Names of the parts to which spans without a live object belong. "dead_or_free_objects": spans of
small objects. All their slots are free, or hold objects that no collection has swept yet.
"dead_large_objects": spans of a dead large object. "stacks": stack segments."""


def units(heap: Go) -> Units:
    """Return the spans in use, and the bytes of the free pages between them."""
    mheap = heap.mheap[0]
    end = int(mheap.last_span) + 1
    spans = heap.mspan[1:end]
    in_use = spans.start_addr != 0
    size_class = heap.span_use.size_class[1:end][in_use]
    part = np.where(size_class == 0, 1, 0)
    part[size_class == STACK] = 2
    free = (int(mheap.chunks) << 9) - int(mheap.pages_in_use) - int(mheap.manual_pages)
    rest = {"free_spans": (free << PAGE_SHIFT) - int(heap.system[0].released)}
    return Units(spans.start_addr[in_use], spans.npages[in_use] * PAGE, part, NAMES, rest)
