"""Failures of go2008: requests that do not fit, and more threads than the table has."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.designs.go2008 import create
from allocsim.designs.go2008.records import Go2008
from tests.calling import malloc
from tests.conftest import PAGE, Unsound


@pytest.mark.parametrize("alignment", [64, 8192, 1 << 20])
@pytest.mark.parametrize("size", [100, 100_000, 2**40, 2**62])
def test_aligned_object_that_does_not_fit_fails(
    small_heap: Heap, alignment: int, size: int
) -> None:
    state = small_heap.state
    malloc(state, 4 << 20)
    assert operations.memalign(state, 0, alignment, size) == 0
    assert operations.refusal(state) == Status.OUT_OF_MEMORY


@pytest.mark.parametrize("alignment", [2**40, 2**46, 2**62], ids=hex)
def test_huge_alignment_fails(state: Go2008, unsound: Unsound, alignment: int) -> None:
    assert operations.memalign(state, 0, alignment, 1) == 0
    assert operations.refusal(state) == Status.OUT_OF_MEMORY
    assert unsound() == []


CALLS: dict[str, Callable[[Go2008, int], int]] = {
    "malloc": malloc,
    "calloc": lambda state, size: operations.calloc(state, 0, size),
    "memalign in a class": lambda state, size: operations.memalign(state, 0, 16, size),
    "memalign in pages": lambda state, size: operations.memalign(state, 0, 2 * PAGE, size),
    "stack": operations.allocate_stack,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("size", [2**30 + 1, 2**40, 2**47, 2**62, 2**63 - 1], ids=hex)
def test_huge_request_fails(
    state: Go2008, unsound: Unsound, call: Callable[[Go2008, int], int], size: int
) -> None:
    state.system[0].refusal = Status.OK
    assert call(state, size) == 0
    assert operations.refusal(state) == Status.OUT_OF_MEMORY
    assert unsound() == []


def test_thread_beyond_the_table_fails() -> None:
    state = create(Reservation(1 << 20), 2, {})
    began = [operations.thread_begin(state, thread) for thread in range(3)]
    assert began == [Status.OK, Status.OK, Status.OUT_OF_MEMORY]
    assert state.static[0].threads == 2
