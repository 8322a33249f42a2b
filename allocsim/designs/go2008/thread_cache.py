"""Thread lists: each thread's free objects, one list for each size class, without a bound.

Above `raw`; below the refill, which fills an empty list, and the designs. The lists are last in
first out and threaded through the first word of the free objects themselves; the objects of a
chunk that nobody has had yet are its end, in ascending addresses, and their links are written late
(`write_links`). Its one rule: but for the link a free object is all zeros, so an object that is
handed out is all zeros.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.raw import WORD, clear_words, fill, load_word, store_word
from allocsim.designs.go2008.page_heap import take_run
from allocsim.designs.go2008.pagemap import PAGE, PAGE_SHIFT
from allocsim.designs.go2008.records import RECIPROCAL_SHIFT, Go2008

MASKED = 8 * WORD
"""Bytes that one masked store clears."""

STORED = 512
"""Objects up to this many bytes are cleared by such stores, larger ones by memset: up to 64 bytes
11.4 ns an event instead of 12.4, on a recorded trace (systemui, warm) 14.7 instead of 16.5."""

LOOKED = 64
"""Objects that pop_aligned_object looks at: its bound, however long the list is."""


@kernel
def fill_list(heap: Go2008, thread: int, size_class: int, address: int, count: int) -> None:
    """Make `count` objects that lie side by side from `address` on the empty list of `thread`."""
    objects = heap.object_list[thread, size_class]
    objects.fresh = address
    objects.end = address + count * heap.size_class[size_class].object_size
    objects.length = count


@kernel
def pop_object(heap: Go2008, thread: int, size_class: int) -> int:
    """Hand out the newest free object of `thread`; 0 if its list is empty."""
    objects = heap.object_list[thread, np.uint64(size_class)]
    address = objects.head
    if address:
        objects.head = load_word(address)
    elif objects.fresh < objects.end:
        address = objects.fresh
        objects.fresh = address + heap.size_class[np.uint64(size_class)].object_size
    else:
        return 0
    _hand_out(heap, thread, size_class, address)
    return address


@kernel
def pop_aligned_object(heap: Go2008, thread: int, size_class: int, alignment: int) -> int:
    """Hand out the newest object at a multiple of `alignment`; 0 if the first LOOKED have none."""
    objects = heap.object_list[thread, size_class]
    before, address = 0, _next_object(heap, thread, size_class, 0)
    for _ in range(LOOKED - 1):
        if address & (alignment - 1) == 0:
            break
        before, address = address, _next_object(heap, thread, size_class, address)
    if address == 0 or address & (alignment - 1):
        return 0
    if before:
        store_word(before, load_word(address))
    else:
        objects.head = load_word(address)
    _hand_out(heap, thread, size_class, address)
    return address


@kernel
def _next_object(heap: Go2008, thread: int, size_class: int, before: int) -> int:
    """The object behind `before` (0: the first), by its link, which is written if need be; or 0."""
    objects = heap.object_list[thread, size_class]
    address = load_word(before) if before else objects.head
    if address or objects.fresh == objects.end:
        return address
    address = objects.fresh
    objects.fresh = address + heap.size_class[size_class].object_size
    if before:
        store_word(before, address)
    else:
        objects.head = address
    store_word(address, 0)
    return address


@kernel
def write_links(heap: Go2008) -> None:
    """Write the links through all fresh objects, so that their memory is as a chain leaves it."""
    for thread in range(heap.static[0].threads):
        for size_class in range(len(heap.size_class)):
            objects = heap.object_list[thread, size_class]
            object_size = heap.size_class[size_class].object_size
            last = objects.end - object_size
            for address in range(objects.fresh, last, object_size):
                store_word(address, address + object_size)
            if objects.fresh <= last:
                store_word(last, 0)


@kernel
def _hand_out(heap: Go2008, thread: int, size_class: int, address: int) -> None:
    """Make an object that was taken off its list all zeros, and count it as in use."""
    store_word(address, 0)
    heap.object_list[thread, np.uint64(size_class)].length -= 1
    # Counting objects by class costs 0.7 ns of an event; counting bytes cost 4, since the size
    # had to be worked out before an object could be handed out.
    count = heap.size_class[np.uint64(size_class)]
    count.cached -= 1
    count.in_use += 1


@kernel
def push_object(heap: Go2008, thread: int, size_class: int, address: int) -> None:
    """Clear an object that was in use, and make it the newest free one of `thread`."""
    count = heap.size_class[np.uint64(size_class)]
    clear(address, count.object_size)
    objects = heap.object_list[thread, np.uint64(size_class)]
    store_word(address, objects.head)
    objects.head = address
    objects.length += 1
    count.cached += 1
    count.in_use -= 1


@kernel
def clear(address: int, length: int) -> None:
    """Zero `length` bytes, a multiple of 8, from `address` on."""
    if length > STORED:
        fill(address, length, 0)
        return
    while length > MASKED:
        clear_words(address, MASKED // WORD)
        address += MASKED
        length -= MASKED
    clear_words(address, length // WORD)


OBJECTS = 1024
"""Objects of a chunk, unless it would pass LONGEST."""

LONGEST = 1 << 20
"""The longest chunk in bytes."""


@kernel
def chunk_bytes(object_size: int) -> int:
    """Bytes that a refill takes for objects of a size: 1024 of them, at most 1 MiB."""
    return min(OBJECTS * object_size, LONGEST)


@kernel
def refill(heap: Go2008, thread: int, size_class: int) -> bool:
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
