"""Heap: calloc, memalign, realloc and stack segments."""

import random
from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.errors import DoubleFree, HeapFrozen, InputError, InvalidFree, OutOfMemory
from tests.conftest import PAGE, each_size


@pytest.mark.parametrize(("count", "size"), [(3, 8), (0, 5), (5, 0), (1000, 100)])
def test_calloc_gives_zeros_for_all_elements(heap: Heap, count: int, size: int) -> None:
    heap.view(address := heap.malloc(count * size))[:] = b"y" * (count * size)
    heap.free(address)
    assert bytes(heap.view(heap.calloc(count, size))) == bytes(count * size)


def test_calloc_does_not_overflow(heap: Heap) -> None:
    with pytest.raises(OutOfMemory):
        heap.calloc(2**33, 2**31)
    with pytest.raises(OutOfMemory):
        heap.calloc(2**32, 2**32)


@pytest.mark.parametrize("alignment", [1, 2, 8, 32, 4096, 1 << 16, 1 << 20], ids=hex)
@each_size
def test_aligned_object_is_aligned_and_an_object(heap: Heap, alignment: int, size: int) -> None:
    heap.malloc(size)
    address = heap.memalign(alignment, size)
    assert address % alignment == 0
    assert (len(heap.view(address)), heap.usable_size(address) >= size) == (size, True)
    heap.free(address)
    assert heap.check() == []


@pytest.mark.parametrize("alignment", [0, -8, 3, 24, 2**63 - 1], ids=str)
def test_alignment_that_is_not_a_power_of_two_is_an_input_error(heap: Heap, alignment: int) -> None:
    with pytest.raises(InputError, match=r"memalign: alignment is .*; expected a power of two"):
        heap.memalign(alignment, 8)


@each_size
@pytest.mark.parametrize("new", [1, 25, 1000, 40_000])
def test_realloc_keeps_what_fits(heap: Heap, size: int, new: int) -> None:
    written = random.Random(size).randbytes(size)
    heap.view(address := heap.malloc(size))[:] = written
    moved = heap.realloc(address, new)
    assert bytes(heap.view(moved)) == (written + bytes(new))[: min(size, new)] + bytes(
        max(new - size, 0)
    )
    assert heap.live == new
    assert heap.check() == []


def test_realloc_of_null_is_malloc(heap: Heap) -> None:
    assert len(heap.view(heap.realloc(0, 50))) == 50


def test_realloc_to_zero_is_free(heap: Heap) -> None:
    address = heap.malloc(50)
    assert heap.realloc(address, 0) == 0
    assert heap.live == 0
    with pytest.raises(DoubleFree):
        heap.free(address)


def test_realloc_of_a_freed_object_is_a_double_free(heap: Heap) -> None:
    address = heap.malloc(50)
    heap.free(address)
    with pytest.raises(DoubleFree):
        heap.realloc(address, 60)


def test_failed_realloc_leaves_the_object_as_it_was(heap: Heap) -> None:
    heap.view(address := heap.malloc(3))[:] = b"abc"
    heap.freeze()
    with pytest.raises(HeapFrozen):
        heap.realloc(address, 40_000)
    assert (bytes(heap.view(address)), heap.live) == (b"abc", 3)
    heap.free(address)
    assert heap.check() == []


@pytest.mark.parametrize("size", [0, 1, 4096, 10_000])
def test_stack_segment_is_pages_that_only_free_stack_frees(heap: Heap, size: int) -> None:
    address = heap.allocate_stack(size)
    assert (address % PAGE, len(heap.view(address)), heap.live) == (0, size, size)
    with pytest.raises(InvalidFree):
        heap.free(address)
    heap.free_stack(address)
    assert heap.live == 0
    with pytest.raises(InvalidFree, match="it is not a stack segment in use"):
        heap.free_stack(address)
    assert heap.check() == []


@pytest.mark.parametrize(
    "call", [Heap.free, Heap.usable_size, lambda heap, address: heap.realloc(address, 5)]
)
def test_stack_segment_is_not_an_object(heap: Heap, call: Callable[[Heap, int], object]) -> None:
    address = heap.allocate_stack(1)
    with pytest.raises(InvalidFree, match="is in no span in use"):
        call(heap, address)


NOT_STACKS: dict[str, Callable[[Heap], int]] = {
    "small object": lambda heap: heap.malloc(24),
    "large object": lambda heap: heap.malloc(40_000),
    "inside a segment": lambda heap: heap.allocate_stack(100) + 8,
    "null": lambda _: 0,
    "-1": lambda _: -1,
    "2^40": lambda _: 2**40,
    "2^63": lambda _: 2**63,
    "2^70": lambda _: 2**70,
}


@pytest.mark.parametrize("place", NOT_STACKS.values(), ids=NOT_STACKS)
def test_address_that_is_not_a_stack_segment_is_an_invalid_free(
    heap: Heap, place: Callable[[Heap], int]
) -> None:
    address = place(heap)
    with pytest.raises(InvalidFree, match="it is not a stack segment in use"):
        heap.free_stack(address)
    assert heap.check() == []
