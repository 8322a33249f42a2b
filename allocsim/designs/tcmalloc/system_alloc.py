"""Releasing pages to the operating system, as in gperftools 2.10 (src/system-alloc.cc).

Released pages stay in the heap's address range but use no memory (madvise). The next write to such
a page makes the OS supply memory for it again, so committing a span only updates counters.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.system import release_pages, reuse_pages
from allocsim.designs.tcmalloc.records import Tcmalloc
from allocsim.designs.tcmalloc.size_classes import PAGE_SHIFT


@kernel
def commit_span(heap: Tcmalloc, span: int) -> None:
    """Count the released pages of `span` as in use again (PageHeap::CommitSpan)."""
    page_heap, pages = heap.page_heap[0], heap.span[span].pages
    reuse_pages(heap, pages << PAGE_SHIFT)
    page_heap.commit_count += 1
    page_heap.total_commit_pages += pages


@kernel
def decommit_span(heap: Tcmalloc, span: int) -> None:
    """Release the pages of `span` to the OS (PageHeap::DecommitSpan)."""
    record, page_heap = heap.span[span], heap.page_heap[0]
    release_pages(heap, record.address, record.pages << PAGE_SHIFT)
    page_heap.decommit_count += 1
    page_heap.total_decommit_pages += record.pages
