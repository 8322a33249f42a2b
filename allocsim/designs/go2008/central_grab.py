"""Refill: carve a new span into a thread's free list (centralgrab).

The original was meant to take objects from central free lists, but does not have them yet: every
refill takes a new span, and its objects stay in thread caches permanently.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.go2008.page_heap import allocate_span
from allocsim.designs.go2008.pagemap import PAGE, PAGE_SHIFT
from allocsim.designs.go2008.records import RECIPROCAL_SHIFT, Go2008

CHUNK_OBJECTS = 1024
"""Number of objects in a chunk, unless the chunk would be longer than MAX_CHUNK."""

MAX_CHUNK = 1 << 20
"""Maximum length of a chunk, in bytes."""


@kernel
def chunk_size(object_size: int) -> int:
    """Return the bytes of a chunk, before rounding to pages: 1024 objects, but at most 1 MiB."""
    return min(CHUNK_OBJECTS * object_size, MAX_CHUNK)


@kernel
def central_grab(heap: Go2008, thread: int, size_class: int) -> bool:
    """Carve a new span into the empty list of `thread`; return False on failure.

    No link is written, because the objects are fresh; see `thread_cache`.
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
