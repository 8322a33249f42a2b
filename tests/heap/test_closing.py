"""Heap: construction, close(), and how long the memory stays mapped."""

import copy
import gc
import pickle
from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.designs import SUMMARIES
from allocsim.errors import AddressSpaceError, InputError, OutOfMemory, UnknownName
from tests.core.test_memory import is_mapped


@pytest.mark.parametrize("reserve", [0, -1, (1 << 20) - 1, (1 << 45) + 1])
def test_reservation_out_of_range_is_an_input_error(reserve: int) -> None:
    with pytest.raises(InputError, match="expected 1 MiB to 32 TiB"):
        Heap(reserve=reserve)


@pytest.mark.parametrize("design", SUMMARIES)
def test_smallest_reservation_holds_an_object_or_is_used_up(design: str) -> None:
    """The design `go` obtains at least 64 MiB of address space at a time."""
    with Heap(design, reserve=1 << 20) as heap:
        if design == "go":
            with pytest.raises(OutOfMemory):
                heap.malloc(1)
        else:
            assert heap.malloc(1)
        assert heap.check() == []


@pytest.mark.parametrize("design", SUMMARIES)
def test_largest_heap_can_be_used_and_measured(design: str) -> None:
    try:
        heap = Heap(design, reserve=1 << 45)
    except AddressSpaceError as refused:
        pytest.skip(str(refused))
    with heap:
        addresses = [heap.malloc(size) for size in (100, 50_000, 5 << 20)]
        assert heap.check() == []
        assert heap.profile().live == heap.live == 100 + 50_000 + (5 << 20)
        for address in addresses:
            heap.free(address)
        heap.release(1 << 45)
        assert heap.resident() < 1 << 30
        assert heap.check() == []


def test_unknown_design_and_unknown_parameter_are_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'go2008'"):
        Heap("go2007")
    with pytest.raises(UnknownName, match="colour"):
        Heap("tcmalloc", colour=5)


OPERATIONS: dict[str, Callable[[Heap], object]] = {
    "malloc": lambda heap: heap.malloc(1),
    "calloc": lambda heap: heap.calloc(1, 1),
    "memalign": lambda heap: heap.memalign(8, 1),
    "realloc": lambda heap: heap.realloc(8, 1),
    "free": lambda heap: heap.free(8),
    "usable_size": lambda heap: heap.usable_size(8),
    "view": lambda heap: heap.view(8),
    "allocate_stack": lambda heap: heap.allocate_stack(1),
    "free_stack": lambda heap: heap.free_stack(8),
    "freeze": Heap.freeze,
    "release": lambda heap: heap.release(1),
    "thread_done": Heap.thread_done,
    "classes": Heap.classes,
    "caches": Heap.caches,
    "native_counters": Heap.native_counters,
    "profile": Heap.profile,
    "resident": Heap.resident,
    "check": Heap.check,
}


def test_closed_heap_of_every_design_says_so_in_every_call(any_heap: Heap) -> None:
    any_heap.malloc(8)
    any_heap.close()
    methods = {name for name in dir(Heap) if name[0] != "_" and callable(getattr(Heap, name))}
    assert methods == {*OPERATIONS, "close"}
    for call in OPERATIONS.values():
        with pytest.raises(InputError, match=r"^this heap is closed$"):
            call(any_heap)
    assert (any_heap.live, repr(any_heap)) == (0, f"<Heap {any_heap.design.name}, closed>")


def test_heap_can_be_closed_twice_and_unmaps_its_memory(any_heap: Heap) -> None:
    base = any_heap.memory.address
    assert is_mapped(base)
    for _ in range(2):
        any_heap.close()
    assert not is_mapped(base)


def test_memory_of_a_closed_heap_is_unmapped_with_its_last_view(any_heap: Heap) -> None:
    base = any_heap.memory.address
    view = any_heap.view(any_heap.malloc(3))
    any_heap.close()
    view[:] = b"abc"
    assert bytes(view) == b"abc"
    del view
    gc.collect()
    assert not is_mapped(base)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copying_a_heap_is_refused(any_heap: Heap, copied: Callable[[Heap], object]) -> None:
    with pytest.raises(TypeError, match="can't be copied"):
        copied(any_heap)
    assert any_heap.check() == []


def test_exception_in_a_with_block_closes_the_heap_and_is_raised(any_heap: Heap) -> None:
    with pytest.raises(KeyError, match="own"), any_heap:
        raise KeyError("own")
    assert repr(any_heap).endswith(", closed>")
