"""Heap: construction, close(), and how long the memory stays mapped."""

import copy
import gc
import pickle
from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.errors import InputError, UnknownName
from tests.conftest import RESERVE
from tests.core.test_memory import is_mapped


@pytest.mark.parametrize("reserve", [0, -1, (1 << 20) - 1, (1 << 45) + 1])
def test_reservation_out_of_range_is_an_input_error(reserve: int) -> None:
    with pytest.raises(InputError, match="expected 1 MiB to 32 TiB"):
        Heap(reserve=reserve)


def test_smallest_reservation_is_enough_for_an_object() -> None:
    with Heap(reserve=1 << 20) as heap:
        assert heap.malloc(1)


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
    "thread_done": Heap.thread_done,
    "profile": Heap.profile,
    "resident": Heap.resident,
    "check": Heap.check,
}


@pytest.mark.parametrize("call", OPERATIONS.values(), ids=OPERATIONS)
def test_closed_heap_says_so(call: Callable[[Heap], object]) -> None:
    heap = Heap(reserve=RESERVE)
    heap.malloc(8)
    heap.close()
    with pytest.raises(InputError, match="this heap is closed"):
        call(heap)


def test_heap_can_be_closed_twice_and_unmaps_its_memory() -> None:
    with Heap(reserve=RESERVE) as heap:
        base = heap.memory.address
        assert is_mapped(base)
        heap.close()
    assert not is_mapped(base)


def test_memory_of_a_closed_heap_is_unmapped_with_its_last_view() -> None:
    with Heap(reserve=RESERVE) as heap:
        base = heap.memory.address
        view = heap.view(heap.malloc(3))
    view[:] = b"abc"
    assert bytes(view) == b"abc"
    del view
    gc.collect()
    assert not is_mapped(base)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copying_a_heap_is_refused(copied: Callable[[Heap], object]) -> None:
    with Heap(reserve=1 << 20) as heap, pytest.raises(TypeError, match="can't be copied"):
        copied(heap)
