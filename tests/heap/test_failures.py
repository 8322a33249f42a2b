"""Heap: requests that fail raise an error and leave the heap valid."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.errors import HeapFrozen, OutOfMemory
from tests.conftest import PAGE

HUGE = [2**40, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64, 2**70]
ALLOCATING: dict[str, Callable[[Heap, int], int]] = {
    "malloc": Heap.malloc,
    "calloc": lambda heap, size: heap.calloc(2, size),
    "memalign": lambda heap, size: heap.memalign(64, size),
    "memalign of pages": lambda heap, size: heap.memalign(2 * PAGE, size),
    "alignment": lambda heap, size: heap.memalign(1 << (size.bit_length() - 1), 1),
    "realloc": lambda heap, size: heap.realloc(heap.malloc(1), size),
    "stack": Heap.allocate_stack,
}


@pytest.mark.parametrize("size", HUGE, ids=hex)
@pytest.mark.parametrize("call", ALLOCATING.values(), ids=ALLOCATING)
def test_huge_size_is_out_of_memory(
    heap: Heap, call: Callable[[Heap, int], int], size: int
) -> None:
    with pytest.raises(OutOfMemory):
        call(heap, size)
    assert heap.check() == []


@pytest.mark.parametrize("call", ALLOCATING.values(), ids=ALLOCATING)
def test_full_reservation_is_out_of_memory_and_leaves_a_valid_heap(
    small_heap: Heap, call: Callable[[Heap, int], int]
) -> None:
    small_heap.malloc(3 << 20)
    with pytest.raises(OutOfMemory, match=r"bytes? does not fit in the reserved 4\.0 MiB"):
        call(small_heap, 1 << 21)
    assert small_heap.check() == []


@pytest.mark.parametrize("call", ALLOCATING.values(), ids=ALLOCATING)
def test_frozen_heap_that_has_to_grow_raises_and_stays_valid(
    heap: Heap, call: Callable[[Heap, int], int]
) -> None:
    heap.malloc(1)
    heap.freeze()
    with pytest.raises(HeapFrozen, match="needs more memory, and the heap is frozen"):
        call(heap, 1 << 21)
    assert heap.check() == []


def test_frozen_heap_allocates_from_its_free_memory(heap: Heap) -> None:
    address = heap.malloc(50_000)
    heap.free(address)
    heap.freeze()
    assert heap.malloc(50_000) == address


@pytest.mark.parametrize("size", HUGE, ids=hex)
@pytest.mark.parametrize("call", ALLOCATING.values(), ids=ALLOCATING)
def test_huge_size_is_out_of_memory_for_every_design(
    any_heap: Heap, call: Callable[[Heap, int], int], size: int
) -> None:
    with pytest.raises(OutOfMemory):
        call(any_heap, size)
    assert any_heap.check() == []
