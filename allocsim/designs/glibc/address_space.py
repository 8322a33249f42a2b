"""The reservation, in which brk and mmap obtain memory.

The reservation is a range of addresses that the OS has reserved for the simulated allocator. The
main arena grows upwards from the start of the range (brk), and mappings are placed downwards from
the end of the range (mmap). The unused part between arena and mappings is called the middle;
`system.limit` is the upper end of the middle.

The memory above the middle is divided into ranges of pages: mappings, slots for the heaps of other
arenas (see `heaps`), and free ranges. Pages are numbered from 1, and a range has the number of its
first page. There is a record for each page; a range uses the record of its first page. The record
contains the length of the range, and the number of the range below. Free neighbours can thus be
found and merged. Free ranges of similar length share a list. If the lowest range becomes free, it
becomes part of the middle again.

The addresses of mappings do not affect what glibc does, except for alignments larger than a page.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import copy
from allocsim.core.system import count_pages, return_pages
from allocsim.core.words import leading_zeros64
from allocsim.designs.glibc.chunks import PAGE
from allocsim.designs.glibc.records import Glibc, Kind

LISTS = 40
"""Number of lists of free ranges. List n has the ranges of 2**n to 2**(n+1) - 1 pages. The heads of
the lists are the last records of the table."""

HEAP_MAX_SIZE = 64 << 20
"""Size of a slot for a heap in bytes; a slot starts at a multiple of this size."""


@kernel
def range_at(heap: Glibc, address: int) -> int:
    """Return the number that a range has if it starts at `address`."""
    return (address - heap.mp_[0].start) // PAGE + 1


@kernel
def start_of(heap: Glibc, number: int) -> int:
    """Return the address of the first byte of a range."""
    return heap.mp_[0].start + (number - 1) * PAGE


@kernel
def find_mapping(heap: Glibc, address: int, kind: int) -> int:
    """Return the range of this kind that starts at `address`, or 0 if no such range does."""
    number = range_at(heap, address)
    return number if address & (PAGE - 1) == 0 and heap.mapping[number].kind == kind else 0


@kernel
def mapping_length(heap: Glibc, number: int) -> int:
    """Return the length of a range in bytes."""
    return heap.mapping[number].pages * PAGE


@kernel
def _set_range(heap: Glibc, number: int, pages: int) -> None:
    """Set the length of a range, and the link to it from the range above."""
    heap.mapping[number].pages = pages
    heap.mapping[number + pages].below = number


@kernel
def _list_of(heap: Glibc, pages: int) -> int:
    """Return the head of the list for free ranges of `pages` pages."""
    return len(heap.mapping) - LISTS + 63 - leading_zeros64(pages)


@kernel
def _list_free(heap: Glibc, number: int) -> None:
    """Make a range free and put it on the list of its length."""
    mapping, record = heap.mapping, heap.mapping[number]
    head = _list_of(heap, record.pages)
    record.kind = Kind.FREE
    record.previous, record.next = head, mapping[head].next
    mapping[record.next].previous = mapping[head].next = number


@kernel
def _unlist_free(heap: Glibc, number: int) -> None:
    """Take a free range off its list. Its kind becomes UNUSED."""
    record = heap.mapping[number]
    record.kind = Kind.UNUSED
    heap.mapping[record.previous].next = record.next
    heap.mapping[record.next].previous = record.previous


@kernel
def _find_free(heap: Glibc, pages: int) -> int:
    """Return a free range of at least `pages` pages, or 0 if none exists."""
    mapping, head = heap.mapping, _list_of(heap, pages)
    number = mapping[head].next
    while number and mapping[number].pages < pages:
        number = mapping[number].next
    while not number and head < len(mapping) - 1:
        head += 1
        number = mapping[head].next
    return number


@kernel
def _split_range(heap: Glibc, number: int, pages: int) -> None:
    """Split a range after `pages` pages, and free the rest if there is any.

    The range must be on no list.
    """
    rest = heap.mapping[number].pages - pages
    if rest:
        _set_range(heap, number + pages, rest)
        _set_range(heap, number, pages)
        free_range(heap, number + pages)


@out_of_line
def free_range(heap: Glibc, number: int) -> int:
    """Free a range and merge it with free neighbours. Returns Status.OK.

    If the result is the lowest range, it becomes part of the middle.
    """
    mapping, lowest = heap.mapping, range_at(heap, heap.system[0].limit)
    pages, below = mapping[number].pages, mapping[number].below
    mapping[number].kind = Kind.UNUSED
    above = mapping[number + pages]
    if above.kind == Kind.FREE:
        _unlist_free(heap, number + pages)
        pages += above.pages
    if number > lowest and mapping[below].kind == Kind.FREE:
        _unlist_free(heap, below)
        pages += mapping[below].pages
        number = below
    if number > lowest:
        _set_range(heap, number, pages)
        _list_free(heap, number)
    else:
        heap.system[0].limit += pages * PAGE
    return Status.OK


@kernel
def _extend(heap: Glibc, length: int, alignment: int) -> int:
    """Take an aligned range from the upper end of the middle; return its number, or 0 on failure.

    If the alignment leaves a gap between the range and the old end of the middle, the gap becomes
    a free range.
    """
    system = heap.system[0]
    start = (system.limit - length) & -alignment
    if length > system.limit - system.next or start < system.next:
        system.refusal = Status.OUT_OF_MEMORY
        return 0
    number = range_at(heap, start)
    _set_range(heap, number, (system.limit - start) // PAGE)
    system.limit = start
    _split_range(heap, number, length // PAGE)
    return number


@out_of_line
def mmap(heap: Glibc, length: int, kind: int) -> int:
    """Map `length` bytes (whole pages) for a chunk or stack; return the address, 0 on failure."""
    if length > heap.mp_[0].length:
        heap.system[0].refusal = Status.OUT_OF_MEMORY
        return 0
    pages = length // PAGE
    number = _find_free(heap, pages)
    if number:
        _unlist_free(heap, number)
        _split_range(heap, number, pages)
    else:
        number = _extend(heap, length, PAGE)
        if number == 0:
            return 0
    if not count_pages(heap, length):
        free_range(heap, number)
        return 0
    heap.mapping[number].kind = kind
    return start_of(heap, number)


@kernel
def munmap(heap: Glibc, number: int) -> int:
    """Unmap a mapping. Returns its length."""
    length = mapping_length(heap, number)
    return_pages(heap, start_of(heap, number), length)
    free_range(heap, number)
    return length


@kernel
def mremap(heap: Glibc, number: int, length: int) -> int:
    """Resize a mapping, in place if possible; return its address, or 0 on failure.

    To move a mapping, Linux moves its pages; here their contents are copied.
    """
    old, start, pages = mapping_length(heap, number), start_of(heap, number), length // PAGE
    next_number = number + heap.mapping[number].pages
    above = heap.mapping[next_number]
    if length <= old:
        return_pages(heap, start + length, old - length)
    elif above.kind == Kind.FREE and next_number + above.pages >= number + pages:
        if not count_pages(heap, length - old):
            return 0
        _unlist_free(heap, next_number)
        _set_range(heap, number, next_number + above.pages - number)
    else:
        moved = mmap(heap, length, heap.mapping[number].kind)
        if moved:
            copy(moved, start, old)
            munmap(heap, number)
        return moved
    _split_range(heap, number, pages)
    return start


@kernel
def new_slot(heap: Glibc) -> int:
    """Return the address of a slot for a heap, or 0 on failure.

    The pages of the slot are not yet in use.
    """
    mp = heap.mp_[0]
    if mp.unused_heap:
        slot = mp.unused_heap - 1
        mp.unused_heap = heap.heap_info[slot].prev
        return (mp.first_slot + slot) * HEAP_MAX_SIZE
    number = _extend(heap, HEAP_MAX_SIZE, HEAP_MAX_SIZE)
    if number == 0:
        return 0
    heap.mapping[number].kind = Kind.HEAP
    return start_of(heap, number)


@kernel
def delete_slot(heap: Glibc, slot: int) -> None:
    """Keep the slot of a deleted heap for the next heap."""
    mp, info = heap.mp_[0], heap.heap_info[slot]
    info.ar_ptr, info.prev = 0, mp.unused_heap
    mp.unused_heap = slot + 1
