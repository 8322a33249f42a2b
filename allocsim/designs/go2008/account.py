"""Account: where the bytes of a go2008 heap are, and the use of each size class.

Each part is computed from counts of its own. No part is computed as the remainder of the others,
because then the check that the parts sum to the heap could not fail.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.records import Sample
from allocsim.core.system import fill_counts, fill_system
from allocsim.designs import ClassUse
from allocsim.designs.go2008.central_grab import chunk_size
from allocsim.designs.go2008.pagemap import PAGE_SHIFT
from allocsim.designs.go2008.records import Go2008


@kernel
def account(heap: Go2008, live: int, sample: Sample) -> int:
    """Fill every field of `sample` except `event`; return Status.OK.

    `live` is the bytes requested and not freed.
    """
    counters = heap.counters[0]
    occupied = counters.large_pages << PAGE_SHIFT
    cached, tail = 0, 0
    for size_class in range(len(heap.size_class)):
        count = heap.size_class[size_class]
        chunk = chunk_size(count.object_size)
        occupied += count.in_use * count.object_size
        cached += count.cached * count.object_size
        # A span is exactly as long as a chunk, because a chunk is a whole number of pages.
        tail += count.spans * (chunk - chunk // count.object_size * count.object_size)
    sample.live = live
    sample.rounding = occupied - live
    sample.tail = tail
    sample.thread_cache = cached
    sample.transfer = 0
    sample.central = 0
    sample.free_spans = heap.static[0].free_pages << PAGE_SHIFT
    sample.released = 0
    fill_system(heap, sample)
    fill_counts(counters, sample)
    return Status.OK


def class_uses(heap: Go2008) -> list[ClassUse]:
    """Return the use of each size class."""
    return [
        ClassUse(
            size_class,
            int(count.object_size),
            int(count.spans),
            int(count.in_use),
            int(count.cached),
        )
        for size_class, count in enumerate(heap.size_class)
    ]
