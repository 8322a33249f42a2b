"""Refill: carve a new span into a thread's free list (centralgrab).

Go's malloc was meant to take objects from central free lists here, but does not have these lists
yet. So every refill takes a new span, and the span's objects stay in thread caches permanently.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.go2008.page_heap import allocate_span
from allocsim.designs.go2008.pagemap import PAGE, PAGE_SHIFT
from allocsim.designs.go2008.records import RECIPROCAL_SHIFT, Go2008

CHUNK_OBJECTS = 1024
"""Number of objects in a chunk (the memory of one refill); fewer if MAX_CHUNK limits it."""

MAX_CHUNK = 1 << 20
"""Maximum length of a chunk, in bytes."""


@kernel
def chunk_size(object_size: int) -> int:
    """Return the bytes of a chunk: 1024 objects, but at most 1 MiB.

    Object sizes are multiples of 8, so a chunk is always a whole number of pages.
    """
    return min(CHUNK_OBJECTS * object_size, MAX_CHUNK)


@kernel
def central_grab(heap: Go2008, thread: int, size_class: int) -> bool:
    """Carve a new span into objects for the empty list of `thread`; return False on failure.

    The objects are fresh: the links between them are not written yet (see `thread_cache`).
    """
    count = heap.size_class[size_class]
    object_size = count.object_size
    chunk = chunk_size(object_size)
    span = allocate_span(heap, (chunk + PAGE - 1) >> PAGE_SHIFT)
    if span == 0:
        return False
    record, objects = heap.span[span], heap.free_list[thread, size_class]
    record.size_class = size_class
    record.object_size = object_size
    record.objects = chunk // object_size
    record.reciprocal = ((1 << RECIPROCAL_SHIFT) + object_size - 1) // object_size
    objects.fresh = record.address
    objects.end = record.address + record.objects * object_size
    objects.length = record.objects
    count.cached += record.objects
    count.spans += 1
    heap.counters[0].refills += 1
    return True
