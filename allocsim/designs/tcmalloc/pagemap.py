"""The page map of two levels: from a page number to the span that holds the page, and its class.

Beside `pagemap`, which takes four levels for all 64 bits: 48 bits of address and pages of 8 KiB
leave 35, of which the root takes 17 and a leaf 18 (gperftools' PageMap2). An entry holds the
number of the span and, in its low bits, the class of its objects, so that free of a small object
reads no span. Its one rule: leaf 0 is all zeros and never written, so an unknown page leads to
span 0 and class 0 without a test on the way; inside a span without a class only the first and the
last entry are kept true.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import book_metadata
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT

ROOT_BITS, LEAF_BITS = 17, 18
ROOT_ROWS = 1 << ROOT_BITS
LEAF_ROWS = 1 << LEAF_BITS

LEAF_BYTES = 8 * LEAF_ROWS
"""Bytes of a leaf, which covers 2 GiB of addresses."""

COVERED = LEAF_ROWS << PAGE_SHIFT
"""Bytes of addresses that a leaf covers."""

CLASS_BITS = 8
"""Low bits of an entry that hold the class."""

ADDRESS_BITS = ROOT_BITS + LEAF_BITS + PAGE_SHIFT


@kernel
def entry_of(heap: HeapState, address: int) -> int:
    """The entry of the page that `address` lies on, `address` below 2**48; 0 if it is unknown."""
    page = address >> PAGE_SHIFT
    # Unsigned rows: a signed index costs a test for negative ones.
    leaf = heap.page_map[np.uint64(page >> LEAF_BITS)]
    return heap.page_map[np.uint64(ROOT_ROWS + (leaf << LEAF_BITS) + (page & (LEAF_ROWS - 1)))]


@kernel
def span_at(heap: HeapState, address: int) -> int:
    """The span that a boundary page, or a page of small objects, belongs to; 0: none."""
    return entry_of(heap, address) >> CLASS_BITS


@kernel
def set_entry(heap: HeapState, address: int, span: int, size_class: int) -> None:
    """Map the page at `address`, whose leaf is there, to a span and its class."""
    page = address >> PAGE_SHIFT
    leaf = heap.page_map[page >> LEAF_BITS]
    row = ROOT_ROWS + (leaf << LEAF_BITS) + (page & (LEAF_ROWS - 1))
    heap.page_map[row] = span << CLASS_BITS | size_class


@kernel
def enter_bounds(heap: HeapState, span: int) -> None:
    """Map the first and the last page of `span`, which has no class."""
    record = heap.span[span]
    set_entry(heap, record.address, span, 0)
    set_entry(heap, record.address + ((record.pages - 1) << PAGE_SHIFT), span, 0)


@kernel
def enter_class(heap: HeapState, span: int, size_class: int) -> None:
    """Map every page of `span` to it and to `size_class`; 0 takes the class away."""
    record = heap.span[span]
    record.size_class = size_class
    for page in range(record.pages):
        set_entry(heap, record.address + (page << PAGE_SHIFT), span, size_class)


@kernel
def ensure_leaves(heap: HeapState, address: int, length: int) -> None:
    """Make the leaves of the pages from `address` on, and of one more on each side.

    There are rows for them: see `rows_for`.
    """
    first = (address >> PAGE_SHIFT) - 1
    last = first + 1 + (length >> PAGE_SHIFT)
    pages = heap.page_heap[0]
    for root in range(first >> LEAF_BITS, (last >> LEAF_BITS) + 1):
        if heap.page_map[root] == 0:
            heap.page_map[root] = pages.leaves
            pages.leaves += 1
            book_metadata(heap, LEAF_BYTES)


def rows_for(length: int) -> int:
    """Rows of a page map, root and null leaf included, for `length` bytes at any address."""
    return ROOT_ROWS + (length // COVERED + 4) * LEAF_ROWS
