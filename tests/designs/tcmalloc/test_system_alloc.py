"""Released pages use no memory, and the footprint does not count them."""

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.page_release import new_run
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.system_alloc import decommit_span
from tests.conftest import contents


def resident(heap: Heap, span: int) -> int:
    """Return the resident bytes of a span."""
    record = heap.state.span[span]
    first = int(record.address) - heap.memory.address
    present = heap.memory.present(first + int(record.pages) * PAGE)
    return int(present[first // 4096 :].sum()) * 4096


def test_released_pages_are_not_resident(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    spans = [new_run(tcmalloc, 5) for _ in range(3)]
    for span in spans:
        contents(tcmalloc_heap, int(tcmalloc.span[span].address), 5 * PAGE)[:] = 1
    assert [resident(tcmalloc_heap, span) for span in spans] == [5 * PAGE] * 3
    decommit_span(tcmalloc, spans[1])
    assert [resident(tcmalloc_heap, span) for span in spans] == [5 * PAGE, 0, 5 * PAGE]
    assert not contents(tcmalloc_heap, int(tcmalloc.span[spans[1]].address), 5 * PAGE).any()


def test_release_lowers_the_footprint_and_not_the_heap(tcmalloc: HeapState) -> None:
    span = new_run(tcmalloc, 5)
    system, page_heap = tcmalloc.system[0], tcmalloc.page_heap[0]
    footprint, heap = int(system.footprint), int(system.heap)
    decommit_span(tcmalloc, span)
    assert (system.footprint, system.heap) == (footprint - 5 * PAGE, heap)
    assert (page_heap.decommit_count, page_heap.total_decommit_pages) == (1, 5)
