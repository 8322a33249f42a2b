"""Page map: a radix tree of two levels, page number -> span and size class (src/pagemap.h).

Addresses of 48 bits and pages of 8 KiB leave 35 bits for the page number: 17 bits index the root
and 18 a leaf (PageMap2). An entry is the span number and, in its low bits, the class of the span's
objects, so freeing a small object reads no span record.

Leaf 0 is all zeros and is never written. The lookup of an unknown page therefore gives span 0 and
class 0, and needs no test for a missing leaf. In a span without a class, only the entries of the
first and last page are valid; the entries between them may be left over from earlier spans.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.designs.tcmalloc.metadata import allocate_metadata
from allocsim.designs.tcmalloc.records import Tcmalloc
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT

ROOT_BITS, LEAF_BITS = 17, 18
"""Number of bits of a page number that index the root, and number of those that index a leaf."""

ROOT_ROWS = 1 << ROOT_BITS
LEAF_ROWS = 1 << LEAF_BITS
"""Number of rows of the root, and of a leaf."""

LEAF_BYTES = 8 * LEAF_ROWS
"""Bytes of a leaf."""

LEAF_SPAN = LEAF_ROWS << PAGE_SHIFT
"""Length in bytes of the address range that a leaf maps: 2 GiB."""

CLASS_BITS = 8
"""Number of low bits of an entry that hold the class."""

ADDRESS_BITS = ROOT_BITS + LEAF_BITS + PAGE_SHIFT
"""Number of address bits that the page map covers: 48."""


@kernel
def entry_of(heap: Tcmalloc, address: int) -> int:
    """Return the entry of the page at `address`, or 0 if the page is unknown.

    `address` is from 0 to 2**48 - 1.
    """
    page = address >> PAGE_SHIFT
    # Row numbers are unsigned because a signed index costs a test for negative numbers.
    leaf = heap.page_map[np.uint64(page >> LEAF_BITS)]
    return heap.page_map[np.uint64(ROOT_ROWS + (leaf << LEAF_BITS) + (page & (LEAF_ROWS - 1)))]


@kernel
def get_descriptor(heap: Tcmalloc, address: int) -> int:
    """Return the span of the page at `address`, or 0 if unknown (PageHeap::GetDescriptor).

    The result is valid for the first and last page of a span and, if the span has a class, for all
    of its pages.
    """
    return entry_of(heap, address) >> CLASS_BITS


@kernel
def set_entry(heap: Tcmalloc, address: int, span: int, size_class: int) -> None:
    """Map the page at `address`, whose leaf exists, to a span and its class (PageMap2::set)."""
    page = address >> PAGE_SHIFT
    leaf = heap.page_map[page >> LEAF_BITS]
    row = ROOT_ROWS + (leaf << LEAF_BITS) + (page & (LEAF_ROWS - 1))
    heap.page_map[row] = span << CLASS_BITS | size_class


@kernel
def record_span(heap: Tcmalloc, span: int) -> None:
    """Map the first and last page of `span`, which has no class (PageHeap::RecordSpan)."""
    record = heap.span[span]
    set_entry(heap, record.address, span, 0)
    set_entry(heap, record.address + ((record.pages - 1) << PAGE_SHIFT), span, 0)


@kernel
def register_size_class(heap: Tcmalloc, span: int, size_class: int) -> None:
    """Map every page of `span` to it and to `size_class` (PageHeap::RegisterSizeClass).

    Class 0 makes it a span without a class again.
    """
    record = heap.span[span]
    record.size_class = size_class
    for page in range(record.pages):
        set_entry(heap, record.address + (page << PAGE_SHIFT), span, size_class)


@kernel
def ensure_leaves(heap: Tcmalloc, address: int, length: int) -> None:
    """Create the leaves of the pages from `address` on, and of one page on each side.

    The library does the same (PageHeap::GrowHeap, PageMap2::Ensure), so that looking up a
    neighbour needs no bounds check. Creating the leaves cannot fail. The table has rows for all of
    them (see `rows_for`). The request for their metadata would fail only in a frozen heap, where
    every request for memory fails. This heap is not frozen: the caller has just obtained pages.
    """
    first = (address >> PAGE_SHIFT) - 1
    last = first + 1 + (length >> PAGE_SHIFT)
    page_heap = heap.page_heap[0]
    for root in range(first >> LEAF_BITS, (last >> LEAF_BITS) + 1):
        if heap.page_map[root] == 0:
            allocate_metadata(heap, LEAF_BYTES)  # cannot fail: the heap is not frozen
            heap.page_map[root] = page_heap.leaves
            page_heap.leaves += 1


def rows_for(length: int) -> int:
    """Return how many rows the page map of a heap of `length` bytes needs, at any address.

    The root and the null leaf are included. Besides the leaves that the heap fills, each end of the
    heap may need a partly used leaf, or a leaf for the page beyond the end (see `ensure_leaves`).
    """
    return ROOT_ROWS + (length // LEAF_SPAN + 4) * LEAF_ROWS
