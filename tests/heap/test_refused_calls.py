"""Heap: a call that is refused because of its arguments changes nothing, in every design."""

from collections.abc import Callable
from typing import Any

import pytest

from allocsim import Heap
from allocsim.errors import InputError, InvalidFree

SIZED: dict[str, Callable[[Heap, Any], object]] = {
    "malloc": Heap.malloc,
    "calloc": lambda heap, size: heap.calloc(size, 8),
    "memalign": lambda heap, size: heap.memalign(64, size),
    "alignment": lambda heap, alignment: heap.memalign(alignment, 8),
    "new": lambda heap, size: heap.realloc(0, size),
    "allocate_stack": Heap.allocate_stack,
    "release": Heap.release,
}
PLACED: dict[str, Callable[[Heap, int], object]] = {
    "free": Heap.free,
    "realloc": lambda heap, address: heap.realloc(address, 10),
    "realloc to 0": lambda heap, address: heap.realloc(address, 0),
    "usable_size": Heap.usable_size,
    "view": Heap.view,
    "free_stack": Heap.free_stack,
}


def figures(heap: Heap) -> tuple[object, ...]:
    """Return everything that a heap reports about itself."""
    return heap.profile(), heap.native_counters(), heap.classes(), heap.caches(), repr(heap)


@pytest.mark.parametrize("value", [None, True, 8.0, "8", -1, -(1 << 63), -(1 << 64)], ids=repr)
def test_call_with_an_unusable_number_changes_nothing(any_heap: Heap, value: object) -> None:
    any_heap.malloc(100)
    before = figures(any_heap)
    for call in SIZED.values():
        with pytest.raises(InputError):
            call(any_heap, value)
    assert figures(any_heap) == before
    assert any_heap.check() == []


@pytest.mark.parametrize("alignment", [0, 3, 12, 4095, (1 << 32) + 8, (1 << 63) + 1, 10**30])
def test_alignment_that_is_no_power_of_two_changes_nothing(any_heap: Heap, alignment: int) -> None:
    before = figures(any_heap)
    with pytest.raises(InputError, match="expected a power of two"):
        any_heap.memalign(alignment, 100)
    assert figures(any_heap) == before


def strange_addresses(heap: Heap, other: Heap) -> dict[str, int]:
    """Return addresses at which no object of `heap` is live, each with a description."""
    stack = heap.allocate_stack(20_000)
    small, medium, large = heap.malloc(100), heap.malloc(50_000), heap.malloc(5 << 20)
    freed, freed_large = heap.malloc(100), heap.malloc(4 << 20)
    heap.free(freed)
    heap.free(freed_large)
    first, last = heap.memory.address, heap.memory.address + heap.memory.length
    inside = {
        f"{begin:#x}{offset:+}": begin + offset
        for begin in (small, medium, large)
        for offset in (-4096, -16, -1, 1, 8, 16, 99, 4096)
    }
    edges = {f"edge {edge:#x}": edge for edge in (first - 8, last - 8, last, 8, 1 << 47, 1 << 63)}
    return (
        inside
        | edges
        | {
            "another heap": other.malloc(100),
            "freed": freed,
            "freed, large": freed_large,
            "inside a stack segment": stack + 4096,
        }
    )


def test_address_that_is_not_a_live_object_changes_nothing(any_heap: Heap) -> None:
    with Heap(any_heap.design.name, reserve=1 << 30) as other:
        addresses = strange_addresses(any_heap, other)
        before = figures(any_heap)
        for name, call in PLACED.items():
            for description, address in addresses.items():
                with pytest.raises(InvalidFree) as error:
                    call(any_heap, address)
                assert error.value.address == address, (name, description)
        assert figures(any_heap) == before
        assert (any_heap.check(), other.check()) == ([], [])
