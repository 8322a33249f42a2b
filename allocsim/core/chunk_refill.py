"""The chunk refill: a fresh span, all of it carved into objects of one class for one thread.

Between the page heap below and the thread lists that it fills. There is no central store of
objects: a span that was carved stays with its class for good. Its one rule: the whole chunk goes
onto the list of the thread that asked, in ascending addresses; the links that this takes are
written when somebody wants to see the memory (`write_links`), since nobody else can tell.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import RECIPROCAL_SHIFT, HeapState
from allocsim.designs.go2008.page_heap import take_run
from allocsim.designs.go2008.pagemap import PAGE, PAGE_SHIFT
from allocsim.designs.go2008.thread_cache import fill_list

OBJECTS = 1024
"""Objects of a chunk, unless it would pass LONGEST."""

LONGEST = 1 << 20
"""The longest chunk in bytes."""


@kernel
def chunk_bytes(object_size: int) -> int:
    """Bytes that a refill takes for objects of a size: 1024 of them, at most 1 MiB."""
    return min(OBJECTS * object_size, LONGEST)


@kernel
def refill(heap: HeapState, thread: int, size_class: int) -> bool:
    """Fill the empty list of `thread` and class from a fresh span; False: refused."""
    count = heap.size_class[size_class]
    object_size = count.object_size
    chunk = chunk_bytes(object_size)
    span = take_run(heap, (chunk + PAGE - 1) >> PAGE_SHIFT)
    if span == 0:
        return False
    objects = chunk // object_size
    record = heap.span[span]
    record.size_class = size_class
    record.object_size = object_size
    record.objects = objects
    record.reciprocal = ((1 << RECIPROCAL_SHIFT) + object_size - 1) // object_size
    fill_list(heap, thread, size_class, record.address, objects)
    count.cached += objects
    count.spans += 1
    heap.counters[0].refills += 1
    return True
