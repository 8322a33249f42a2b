"""Page map: page number to span (pagemap.c).

It is a radix tree of four levels. Pages of 4 KiB leave 52 bits of a 64-bit address for the page
number, 13 bits for each level. A node of the tree is allocated when a page below it is first
inserted.

Node 0 is all zeros and is never written. The lookup of an unknown page therefore passes through
node 0 to span 0, and needs no test for a missing node.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.designs.go2008.metadata import allocate_metadata
from allocsim.designs.go2008.records import Go2008

PAGE_SHIFT = 12
PAGE = 1 << PAGE_SHIFT
"""Bytes of a page."""

LEVELS = 4
LEVEL_BITS = 13
LEVEL_SIZE = 1 << LEVEL_BITS
"""Entries of a node (PMLevelSize)."""

LEVEL_MASK = LEVEL_SIZE - 1
"""Mask of the bits of a page number that index a node."""

ROOT = 1
"""Number of the root node; node 0 is the null node."""

NODE_BYTES = 8 * LEVEL_SIZE
"""Metadata of a node."""


@kernel
def span_of(heap: Go2008, address: int) -> int:
    """Return the span that contains `address`, or 0 if its page was never inserted (spanofptr)."""
    # Each load waits for the load of the level above. A flat table, which needs only one load,
    # would save 1.8 of 11.4 ns/event, but Go's malloc has this tree. Node numbers are unsigned
    # because a signed index costs a test for negative numbers at each level.
    page = address >> PAGE_SHIFT
    node = np.uint64(heap.node[ROOT, (page >> 3 * LEVEL_BITS) & LEVEL_MASK])
    node = np.uint64(heap.node[node, (page >> 2 * LEVEL_BITS) & LEVEL_MASK])
    node = np.uint64(heap.node[node, (page >> LEVEL_BITS) & LEVEL_MASK])
    return heap.node[node, page & LEVEL_MASK]


@kernel
def insert_span(heap: Go2008, address: int, pages: int, span: int) -> bool:
    """Map `pages` pages, the first at `address`, to `span` (insertspan).

    Returns False on failure.
    """
    first = address >> PAGE_SHIFT
    page, leaf = first, 0
    while page < first + pages:
        if leaf == 0 or page & LEVEL_MASK == 0:  # at the start, and where the next leaf begins
            leaf = _leaf_of(heap, page)
            if leaf == 0:
                return False
        heap.node[leaf, page & LEVEL_MASK] = span
        page += 1
    return True


@kernel
def _leaf_of(heap: Go2008, page: int) -> int:
    """Return the leaf of `page`, allocating missing nodes; return 0 on failure (pminsert)."""
    node = ROOT
    for level in range(LEVELS - 1, 0, -1):
        index = (page >> level * LEVEL_BITS) & LEVEL_MASK
        child = heap.node[node, index]
        if child == 0:
            child = heap.static[0].nodes
            if child >= len(heap.node):
                heap.system[0].refusal = Status.OUT_OF_MEMORY
                return 0
            if not allocate_metadata(heap, NODE_BYTES):
                return 0
            heap.static[0].nodes = child + 1
            heap.node[node, index] = child
        node = child
    return node


def max_nodes(length: int) -> int:
    """Return the maximum number of nodes that `length` bytes need, at any address.

    The null node and the root are included. At each level, an unaligned range touches up to two
    nodes more than its length fills.
    """
    nodes, covered = 2, 1 << PAGE_SHIFT
    for _ in range(LEVELS - 1):
        covered <<= LEVEL_BITS
        nodes += length // covered + 2
    return nodes
