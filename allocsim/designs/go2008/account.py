"""The account: where the bytes of a heap with thread lists and a splitting page heap are.

Above the records and the refill's rule for chunks; below the designs, whose measure it is. Its one
rule: each part is worked out from counts of its own, none is a remainder, so that their sum proves
something.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import Sample
from allocsim.core.system import fill_counts, fill_system
from allocsim.designs.go2008.pagemap import PAGE_SHIFT
from allocsim.designs.go2008.records import Go2008
from allocsim.designs.go2008.thread_cache import chunk_bytes


@kernel
def account(heap: Go2008, live: int, sample: Sample) -> None:
    """Fill all of `sample` (a SAMPLE) but its event; `live` is the bytes asked for."""
    counters = heap.counters[0]
    occupied = counters.large_pages << PAGE_SHIFT
    cached, tail = 0, 0
    for size_class in range(len(heap.size_class)):
        count = heap.size_class[size_class]
        chunk = chunk_bytes(count.object_size)
        occupied += count.in_use * count.object_size
        cached += count.cached * count.object_size
        tail += count.spans * (chunk - chunk // count.object_size * count.object_size)
    sample.live = live
    sample.rounding = occupied - live
    sample.tail = tail
    sample.thread_cache = cached
    sample.transfer = 0
    sample.central = 0
    sample.free_spans = counters.free_pages << PAGE_SHIFT
    sample.released = 0
    fill_system(heap, sample)
    fill_counts(counters, sample)
