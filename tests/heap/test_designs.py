"""Heap: properties of every design with its default parameters."""

import random

import pytest

from allocsim import Heap
from allocsim.errors import HeapFrozen, InvalidFree
from tests.conftest import each_size


@each_size
def test_object_has_the_requested_size_and_can_be_freed_once(any_heap: Heap, size: int) -> None:
    address = any_heap.malloc(size)
    any_heap.view(address)[:] = b"x" * size
    assert (any_heap.usable_size(address) >= size, any_heap.live) == (True, size)
    any_heap.free(address)
    with pytest.raises(InvalidFree, match="has been freed"):
        any_heap.free(address)
    assert (any_heap.live, any_heap.check()) == (0, [])


@pytest.mark.parametrize("beyond", [8, -1, 1 << 40, 1 << 63, 1 << 70])
def test_no_design_frees_an_address_that_is_not_an_object(any_heap: Heap, beyond: int) -> None:
    address = int(any_heap.malloc(300_000)) + beyond
    with pytest.raises(InvalidFree) as raised:
        any_heap.free(address)
    assert raised.value.address == address
    assert any_heap.check() == []


@each_size
def test_calloc_of_every_design_gives_zeros(any_heap: Heap, size: int) -> None:
    any_heap.view(address := any_heap.malloc(size))[:] = b"y" * size
    any_heap.free(address)
    assert bytes(any_heap.view(any_heap.calloc(1, size))) == bytes(size)


@pytest.mark.parametrize("alignment", [1, 32, 4096, 1 << 16, 1 << 20], ids=hex)
def test_aligned_object_of_every_design_is_aligned(any_heap: Heap, alignment: int) -> None:
    any_heap.malloc(100)
    address = any_heap.memalign(alignment, 100)
    assert (address % alignment, len(any_heap.view(address))) == (0, 100)
    any_heap.free(address)
    assert any_heap.check() == []


@each_size
@pytest.mark.parametrize("new", [1, 25, 1000, 300_000])
def test_realloc_of_every_design_keeps_what_fits(any_heap: Heap, size: int, new: int) -> None:
    written = random.Random(size).randbytes(size)
    any_heap.view(address := any_heap.malloc(size))[:] = written
    moved = any_heap.realloc(address, new)
    assert bytes(any_heap.view(moved)[:size]) == written[:new]
    assert (any_heap.live, any_heap.check()) == (new, [])


def test_failed_realloc_of_every_design_leaves_the_object(any_heap: Heap) -> None:
    any_heap.view(address := any_heap.malloc(3))[:] = b"abc"
    any_heap.freeze()
    with pytest.raises(HeapFrozen):
        any_heap.realloc(address, 8 << 20)
    assert (bytes(any_heap.view(address)), any_heap.live) == (b"abc", 3)
    any_heap.free(address)
    assert any_heap.check() == []


def test_stack_segment_is_freed_only_by_free_stack(any_heap: Heap) -> None:
    address = any_heap.allocate_stack(10_000)
    any_heap.view(address)[:] = b"s" * 10_000
    with pytest.raises(InvalidFree):
        any_heap.free(address)
    any_heap.free_stack(address)
    with pytest.raises(InvalidFree, match="it is not a stack segment in use"):
        any_heap.free_stack(address)
    assert (any_heap.live, any_heap.check()) == (0, [])


def test_parts_sum_to_the_heap_and_name_what_is_live(any_heap: Heap) -> None:
    any_heap.malloc(100)
    any_heap.free(any_heap.malloc(300_000))
    taken = any_heap.profile()
    assert (taken.live, sum(taken.parts.values())) == (100, taken.heap)


def test_objects_of_0_bytes_are_each_freed_once_even_if_they_share_an_address(
    any_heap: Heap,
) -> None:
    first, second, third = any_heap.malloc(0), any_heap.malloc(0), any_heap.calloc(0, 9)
    grown = any_heap.realloc(third, 100)
    assert ("live 100 B in 3 objects" in repr(any_heap), any_heap.live) == (True, 100)
    for address in (first, second, grown):
        any_heap.free(address)
    assert ("live 0 B in 0 objects" in repr(any_heap), any_heap.live) == (True, 0)
    for address in (first, second):
        with pytest.raises(InvalidFree):
            any_heap.free(address)
