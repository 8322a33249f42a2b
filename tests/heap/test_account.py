"""Heap: live bytes, the parts of the heap, and resident bytes."""

from allocsim import Heap
from tests.conftest import PAGE


def test_live_is_what_was_requested_and_not_freed(heap: Heap) -> None:
    kept, freed = heap.malloc(100), heap.calloc(10, 10)
    heap.memalign(64, 30)
    heap.allocate_stack(7)
    heap.free(freed)
    heap.realloc(kept, 50)
    assert heap.live == 50 + 30 + 7


def test_profile_sums_and_names_what_is_live(heap: Heap) -> None:
    heap.malloc(100)
    heap.free(heap.malloc(40_000))
    taken = heap.profile()
    assert taken.live == 100
    assert sum(taken.parts.values()) == taken.heap == 1 << 20
    assert taken.counters == {"grows": 1, "splits": 2, "coalesces": 0, "refills": 1}


def test_a_refill_counts_as_resident_though_its_links_are_written_late(heap: Heap) -> None:
    heap.malloc(4096)
    assert heap.resident() == 256 * PAGE  # a chunk of 1 MiB, linked through the start of each page


def test_resident_is_what_was_touched(heap: Heap) -> None:
    address = heap.malloc(100 * PAGE)
    assert heap.resident() == 0
    heap.view(address)[0] = 1
    assert 0 < heap.resident() <= heap.profile().heap
