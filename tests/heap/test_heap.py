"""Heap: objects, views of objects, and addresses that are not objects."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.designs.go2008.records import SpanState
from allocsim.errors import DoubleFree, InvalidFree, UseAfterFree
from allocsim.text import format_bytes
from tests.conftest import PAGE, contents, each_size
from tests.designs.go2008.lookup import SIZES


@each_size
def test_view_has_the_requested_size_and_is_zeroed_and_writable(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    view = heap.view(address)
    assert bytes(view) == bytes(size)
    view[:] = b"x" * size
    assert contents(heap, address, size).tolist() == [120] * size


@each_size
def test_object_can_be_freed_once(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    heap.free(address)
    with pytest.raises(InvalidFree, match="has been freed"):
        heap.free(address)
    assert heap.check() == []


@pytest.mark.parametrize("size", [0, 1, 24, 32767])
def test_second_free_of_a_small_object_is_a_double_free(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    heap.free(address)
    with pytest.raises(DoubleFree, match="the object has been freed") as raised:
        heap.free(address)
    assert raised.value.address == address


def test_object_that_was_never_allocated_counts_as_free(heap: Heap) -> None:
    with pytest.raises(DoubleFree):
        heap.free(heap.malloc(24) + 24)


def test_double_free_leaves_the_newer_owner_alone(heap: Heap) -> None:
    address = heap.malloc(24)
    heap.free(address)
    assert heap.malloc(24) == address
    heap.free(address)
    with pytest.raises(DoubleFree):
        heap.free(address)
    assert heap.check() == []


WRONG: dict[str, tuple[Callable[[Heap], int], str]] = {
    "not an address of a heap": (lambda _: 4096, "is in no span in use"),
    "negative": (lambda _: -1, "is in no span in use"),
    "2^63": (lambda _: 1 << 63, "is in no span in use"),
    "2^70": (lambda _: 1 << 70, "is in no span in use"),
    "large": (lambda heap: heap.malloc(40_000) + 8, "inside a large object"),
    "small": (lambda heap: heap.malloc(24) + 8, "inside a small object"),
    "tail": (lambda heap: heap.malloc(3000) + 341 * 3072, "in the tail of its span"),
}


@pytest.mark.parametrize(
    "call",
    [Heap.free, Heap.usable_size, Heap.view, lambda heap, address: heap.realloc(address, 5)],
    ids=["free", "usable_size", "view", "realloc"],
)
@pytest.mark.parametrize(("place", "reason"), WRONG.values(), ids=WRONG)
def test_address_that_is_not_an_object_is_an_invalid_free(
    heap: Heap, call: Callable[[Heap, int], object], place: Callable[[Heap], int], reason: str
) -> None:
    address = place(heap)
    with pytest.raises(InvalidFree, match=reason) as raised:
        call(heap, address)
    assert raised.value.address == address
    assert not isinstance(raised.value, DoubleFree)
    assert heap.check() == []


def test_object_that_the_design_fails_to_free_stays_live(heap: Heap) -> None:
    address = heap.malloc(24)
    heap.state.span[1].state = SpanState.FREE
    with pytest.raises(InvalidFree, match="is in no span in use"):
        heap.free(address)
    assert heap.live == 24


def test_free_of_null_does_nothing(heap: Heap) -> None:
    heap.free(0)
    assert heap.profile().heap == 0


@pytest.mark.parametrize("size", [1, 8, 9, 120, 32767, 32768, 32769])
def test_usable_size_is_the_size_of_the_class_or_of_the_pages(heap: Heap, size: int) -> None:
    expected = next((s for s in SIZES if s >= size), 0) if size < 32768 else -(-size // PAGE) * PAGE
    assert heap.usable_size(heap.malloc(size)) == expected


@pytest.mark.parametrize("call", [Heap.view, Heap.usable_size])
def test_small_object_is_not_used_after_free(
    any_heap: Heap, call: Callable[[Heap, int], object]
) -> None:
    address = any_heap.malloc(24)
    any_heap.free(address)
    with pytest.raises(UseAfterFree, match="the object has been freed") as raised:
        call(any_heap, address)
    assert raised.value.address == address


def test_view_of_a_freed_large_object_is_an_invalid_free(any_heap: Heap) -> None:
    address = any_heap.malloc(300_000)
    any_heap.free(address)
    with pytest.raises(InvalidFree, match="it was never allocated, or has been freed"):
        any_heap.view(address)


def test_view_from_before_free_shows_what_the_next_owner_writes(heap: Heap) -> None:
    address = heap.malloc(24)
    old = heap.view(address)
    heap.free(address)
    assert heap.malloc(24) == address
    heap.view(address)[:5] = b"other"
    assert bytes(old[:5]) == b"other"


def test_repr_names_the_design_the_footprint_and_the_live_objects(heap: Heap) -> None:
    heap.malloc(100)
    heap.allocate_stack(1)
    expected = format_bytes(heap.profile().footprint)
    assert repr(heap) == f"<Heap go2008: footprint {expected}, live 101 B in 2 objects>"
    heap.close()
    assert repr(heap) == "<Heap go2008, closed>"
