"""Thread caches: each thread's free objects, one list per size class, unbounded (m->freelist).

A list is last in first out and linked through the first word of the free objects. At its end are
the fresh objects: those of the newest chunk (the memory of a refill) that were never used, in
ascending address order. `fresh` and `end` delimit them, so they need no links. Go's malloc links
them at once, and so makes their pages resident. `write_links` therefore writes their links before
resident memory is measured.

Invariant: apart from its link, a free object is all zeros.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.raw import WORD, clear_words, fill, load_word, store_word
from allocsim.designs.go2008.central_grab import central_grab
from allocsim.designs.go2008.metadata import allocate_metadata
from allocsim.designs.go2008.records import Go2008
from allocsim.designs.go2008.size_classes import CLASS_COUNT

CACHE_BYTES = CLASS_COUNT * 16
"""Bytes of metadata for each thread: a head and a length for each class. The other fields of
FreeList are not counted. Go's malloc does not need them, because it links the objects of a new
chunk at once."""

CLEAR_STEP = 8 * WORD
"""Bytes that one masked store clears."""

MEMSET_ABOVE = 512
"""Objects larger than this are cleared by memset, others by masked stores. If memset cleared all
objects, an event would take 12.4 ns instead of 11.4 in a workload of objects of up to 64 bytes, and
16.5 ns instead of 14.7 in the trace systemui after a warm-up."""

MAX_PROBES = 64
"""Maximum number of free objects that pop_aligned_object inspects, since a list can be long."""


@kernel
def thread_begin(heap: Go2008, thread: int) -> int:
    """Account for the metadata of a new thread's lists. Returns a Status."""
    if thread >= len(heap.free_list):
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return Status.OUT_OF_MEMORY
    if not allocate_metadata(heap, CACHE_BYTES):
        return heap.system[0].refusal
    heap.static[0].threads += 1
    return Status.OK


@kernel
def allocate_small(heap: Go2008, thread: int, size_class: int) -> int:
    """Allocate an object of `size_class`; return its address, or 0 on failure (allocsmall)."""
    address = pop_object(heap, thread, size_class)
    if address == 0 and central_grab(heap, thread, size_class):
        address = pop_object(heap, thread, size_class)
    return address


@kernel
def allocate_aligned_small(heap: Go2008, thread: int, size_class: int, alignment: int) -> int:
    """Allocate an object of `size_class` or a larger class at a multiple of `alignment`.

    `alignment` is at most a page. Returns 0 on failure. Go's malloc has no such call.

    If one of the first MAX_PROBES objects on the list is aligned, it is taken, and memalign uses no
    more memory than malloc. Otherwise the object comes from the next class whose size is a multiple
    of the alignment. All objects of that class are aligned, because chunks begin on pages.
    """
    if heap.free_list[thread, size_class].length or central_grab(heap, thread, size_class):
        address = pop_aligned_object(heap, thread, size_class, alignment)
        while address == 0 and heap.size_class[size_class].object_size & (alignment - 1):
            size_class += 1
        return address or allocate_small(heap, thread, size_class)
    return 0


@kernel
def pop_object(heap: Go2008, thread: int, size_class: int) -> int:
    """Pop the newest free object of `thread`; return its address, or 0 if the list is empty."""
    objects = heap.free_list[thread, np.uint64(size_class)]
    address = objects.head
    if address:
        objects.head = load_word(address)
    elif objects.fresh < objects.end:
        address = objects.fresh
        objects.fresh = address + heap.size_class[np.uint64(size_class)].object_size
    else:
        return 0
    _count_popped(heap, thread, size_class, address)
    return address


@kernel
def pop_aligned_object(heap: Go2008, thread: int, size_class: int, alignment: int) -> int:
    """Pop the newest object at a multiple of `alignment`, or return 0 after MAX_PROBES objects.

    The fresh objects that it inspects get their links, even if none is popped.
    """
    objects = heap.free_list[thread, size_class]
    previous, address = 0, _next_object(heap, thread, size_class, 0)
    for _ in range(MAX_PROBES - 1):
        if address & (alignment - 1) == 0:
            break
        previous, address = address, _next_object(heap, thread, size_class, address)
    if address == 0 or address & (alignment - 1):
        return 0
    if previous:
        store_word(previous, load_word(address))
    else:
        objects.head = load_word(address)
    _count_popped(heap, thread, size_class, address)
    return address


@kernel
def _next_object(heap: Go2008, thread: int, size_class: int, previous: int) -> int:
    """Return the object after `previous`, or the first object if `previous` is 0.

    Returns 0 at the end of the list. If the object is fresh, it is linked first, so that the caller
    can remove it like any other object.
    """
    objects = heap.free_list[thread, size_class]
    address = load_word(previous) if previous else objects.head
    if address or objects.fresh == objects.end:
        return address
    address = objects.fresh
    objects.fresh = address + heap.size_class[size_class].object_size
    if previous:
        store_word(previous, address)
    else:
        objects.head = address
    store_word(address, 0)
    return address


@kernel
def write_links(heap: Go2008) -> int:
    """Write the links of all fresh objects, as centralgrab does; return Status.OK.

    Only the resident memory depends on this: writing the links of a chunk touches all its pages.
    """
    for thread in range(heap.static[0].threads):
        for size_class in range(len(heap.size_class)):
            objects = heap.free_list[thread, size_class]
            object_size = heap.size_class[size_class].object_size
            last = objects.end - object_size
            for address in range(objects.fresh, last, object_size):
                store_word(address, address + object_size)
            if objects.fresh <= last:
                store_word(last, 0)
    return Status.OK


@kernel
def _count_popped(heap: Go2008, thread: int, size_class: int, address: int) -> None:
    """Zero the link of an object that was removed from its list, and count it as in use."""
    store_word(address, 0)
    heap.free_list[thread, np.uint64(size_class)].length -= 1
    # Counting objects costs 0.7 ns/event. Counting bytes would cost 4, because an allocation would
    # have to wait for the object size.
    count = heap.size_class[np.uint64(size_class)]
    count.cached -= 1
    count.in_use += 1


@kernel
def push_object(heap: Go2008, thread: int, size_class: int, address: int) -> None:
    """Clear an object that was in use and push it on the list of `thread`."""
    count = heap.size_class[np.uint64(size_class)]
    clear(address, count.object_size)
    objects = heap.free_list[thread, np.uint64(size_class)]
    store_word(address, objects.head)
    objects.head = address
    objects.length += 1
    count.cached += 1
    count.in_use -= 1


@kernel
def clear(address: int, length: int) -> None:
    """Zero `length` bytes, a multiple of 8, from `address` on."""
    if length > MEMSET_ABOVE:
        fill(address, length, 0)
        return
    while length > CLEAR_STEP:
        clear_words(address, CLEAR_STEP // WORD)
        address += CLEAR_STEP
        length -= CLEAR_STEP
    clear_words(address, length // WORD)
