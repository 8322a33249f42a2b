"""Failures: requests that do not fit, a frozen heap, too many threads."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc import DESIGN, create
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.state import placement
from tests.calling import malloc
from tests.designs.tcmalloc.lookup import MEDIUM


def test_thread_beyond_the_table_fails() -> None:
    parameters = DESIGN.checked({})
    heap = create(Reservation(1 << 20, *placement(parameters)), 2, parameters)
    began = [operations.thread_begin(heap, thread) for thread in range(3)]
    assert began == [Status.OK, Status.OK, Status.OUT_OF_MEMORY]
    assert operations.refusal(heap) == Status.OUT_OF_MEMORY


def test_frozen_heap_allocates_what_it_has_and_does_not_grow(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    malloc(tcmalloc, 8)
    assert operations.freeze(tcmalloc) == Status.OK
    assert malloc(tcmalloc, 127 * PAGE)
    assert (malloc(tcmalloc, 100), malloc(tcmalloc, MEDIUM)) == (0, 0)
    assert operations.calloc(tcmalloc, 0, 100) == 0
    assert operations.memalign(tcmalloc, 0, 4 * PAGE, 1) == 0
    assert operations.allocate_stack(tcmalloc, 1) == 0
    assert operations.refusal(tcmalloc) == Status.FROZEN
    assert malloc(tcmalloc, 8)
    assert tcmalloc_heap.check() == []


REQUESTS: dict[str, Callable[[HeapState, int], int]] = {
    "malloc": malloc,
    "calloc": lambda state, size: operations.calloc(state, 0, size),
    "memalign": lambda state, size: operations.memalign(state, 0, 64, size),
    "memalign of pages": lambda state, size: operations.memalign(state, 0, 4 * PAGE, size),
    "stack": operations.allocate_stack,
}


@pytest.mark.parametrize("call", REQUESTS.values(), ids=REQUESTS)
def test_request_beyond_the_reservation_fails_and_the_heap_stays_valid(
    small_tcmalloc_heap: Heap, call: Callable[[HeapState, int], int]
) -> None:
    state, live = small_tcmalloc_heap.state, []
    for size in (1 << 20, MEDIUM, 3 * PAGE, 1):
        while address := call(state, size):
            live.append(address)
        assert operations.refusal(state) == Status.OUT_OF_MEMORY
        assert small_tcmalloc_heap.check() == []
    if call is not REQUESTS["memalign of pages"]:  # memalign allocates more pages than it keeps
        assert state.system[0].heap == small_tcmalloc_heap.memory.length
    free = operations.free_stack if call is REQUESTS["stack"] else None
    for address in live:
        status = free(state, address) if free else operations.free(state, 0, address)
        assert status == Status.OK
    assert small_tcmalloc_heap.check() == []


@pytest.mark.parametrize("size", [(1 << 30) + 1, 1 << 40, 1 << 47, (1 << 62) - 1], ids=hex)
def test_huge_request_fails(tcmalloc_heap: Heap, tcmalloc: HeapState, size: int) -> None:
    for call in REQUESTS.values():
        tcmalloc.system[0].refusal = Status.OK
        assert call(tcmalloc, size) == 0
        assert operations.refusal(tcmalloc) == Status.OUT_OF_MEMORY
    assert tcmalloc_heap.check() == []
