"""Pages from and to the operating system: where a joining page heap commits and decommits.

Above `trivial`, which hands out fresh pages; below the page heap. Pages that are given back stay
in the heap's range and cost no memory (madvise); they are taken into use again by being written.
Its one rule: `footprint` falls by what is given back and rises by what is taken again.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState
from allocsim.core.system import release_pages
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT


@kernel
def decommit(heap: HeapState, span: int) -> None:
    """Give the pages of `span` back to the operating system."""
    record, page_heap = heap.span[span], heap.page_heap[0]
    length = record.pages << PAGE_SHIFT
    release_pages(heap, record.address, length)
    page_heap.decommits += 1
    page_heap.decommitted_pages += record.pages
