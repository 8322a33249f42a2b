"""Heap: the Python face of a design, which owns the memory and speaks in errors."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.designs.go2008.records import SpanState
from allocsim.errors import DoubleFree, InvalidFree
from tests.conftest import PAGE, contents, each_size
from tests.designs.test_size_classes import SIZES


@each_size
def test_view_is_what_was_asked_for_all_zeros_and_writable(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    view = heap.view(address)
    assert bytes(view) == bytes(size)
    view[:] = b"x" * size
    assert contents(heap, address, size).tolist() == [120] * size


@each_size
def test_object_can_be_freed_once(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    heap.free(address)
    with pytest.raises(InvalidFree, match=r"free already|freed already"):
        heap.free(address)
    assert heap.check() == []


@pytest.mark.parametrize("size", [0, 1, 24, 32767])
def test_second_free_of_a_small_object_is_a_double_free(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    heap.free(address)
    with pytest.raises(DoubleFree, match="the object is free already") as raised:
        heap.free(address)
    assert raised.value.address == address


def test_object_that_was_never_handed_out_counts_as_free(heap: Heap) -> None:
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
    "unknown": (lambda _: 4096, "lies in no span in use"),
    "unknown, negative": (lambda _: -1, "lies in no span in use"),
    "unknown, 2^63": (lambda _: 1 << 63, "lies in no span in use"),
    "unknown, 2^70": (lambda _: 1 << 70, "lies in no span in use"),
    "large": (lambda heap: heap.malloc(40_000) + 8, "inside a large object"),
    "small": (lambda heap: heap.malloc(24) + 8, "inside a small object"),
    "tail": (lambda heap: heap.malloc(3000) + 341 * 3072, "behind the last one of its span"),
}


@pytest.mark.parametrize(
    "call",
    [Heap.free, Heap.usable_size, Heap.view, lambda heap, address: heap.realloc(address, 5)],
    ids=["free", "usable_size", "view", "realloc"],
)
@pytest.mark.parametrize(("place", "reason"), WRONG.values(), ids=WRONG)
def test_what_is_no_object_is_an_invalid_pointer(
    heap: Heap, call: Callable[[Heap, int], object], place: Callable[[Heap], int], reason: str
) -> None:
    address = place(heap)
    with pytest.raises(InvalidFree, match=reason) as raised:
        call(heap, address)
    assert raised.value.address == address
    assert not isinstance(raised.value, DoubleFree)
    assert heap.check() == []


def test_object_that_the_design_does_not_take_back_stays_live(heap: Heap) -> None:
    address = heap.malloc(24)
    heap.state.span[1].state = SpanState.FREE
    with pytest.raises(InvalidFree, match="lies in no span in use"):
        heap.free(address)
    assert heap.live == 24


def test_free_of_null_is_nothing(heap: Heap) -> None:
    heap.free(0)
    assert heap.profile().heap == 0


@pytest.mark.parametrize("size", [1, 8, 9, 120, 32767, 32768, 32769])
def test_usable_size_is_at_least_what_was_asked_for(heap: Heap, size: int) -> None:
    expected = next((s for s in SIZES if s >= size), 0) if size < 32768 else -(-size // PAGE) * PAGE
    assert heap.usable_size(heap.malloc(size)) == expected


@pytest.mark.parametrize("size", [-1, -(2**62), -(2**63), -(2**70)], ids=str)
def test_negative_size_is_an_object_of_no_bytes(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    assert (len(heap.view(address)), heap.live, heap.usable_size(address)) == (0, 0, 8)
    heap.free(address)
    assert heap.check() == []
