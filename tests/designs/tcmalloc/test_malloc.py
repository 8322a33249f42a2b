"""malloc and free: sizes, lists, invalid addresses, and threads that end."""

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc import DESIGN
from allocsim.designs.tcmalloc.size_classes import MAX_SIZE, PAGE
from tests.calling import Place, malloc
from tests.conftest import contents
from tests.designs.tcmalloc.lookup import MEDIUM, cached, class_for, slot

BORDERS = [0, 1, 8, 9, 16, 17, 128, 129, 1024, 1025, 2816, 32768, 32769, MAX_SIZE - 1, MAX_SIZE]
"""Small sizes at the ends of classes and of ranges of classes."""

LARGE = [MAX_SIZE + 1, 33 * PAGE, 1 << 20, (1 << 20) + 1]


@pytest.mark.parametrize("size", BORDERS + LARGE)
def test_object_has_the_size_of_its_class_or_whole_pages(tcmalloc: HeapState, size: int) -> None:
    assert operations.usable_size(tcmalloc, malloc(tcmalloc, size)) == slot(size)


@pytest.mark.parametrize("size", [8, 100, 2800, MAX_SIZE, MEDIUM])
def test_freed_object_is_the_next_allocated_by_its_thread(tcmalloc: HeapState, size: int) -> None:
    address = malloc(tcmalloc, size)
    assert operations.free(tcmalloc, 0, address) == Status.OK
    assert malloc(tcmalloc, size) == address


def test_object_goes_to_the_cache_of_the_thread_that_frees_it(tcmalloc: HeapState) -> None:
    addresses = [malloc(tcmalloc, 100) for _ in range(3)]
    malloc(tcmalloc, 100, thread=1)
    operations.free(tcmalloc, 1, addresses[1])
    assert cached(tcmalloc, 1, class_for(100)) == [addresses[1]]
    assert malloc(tcmalloc, 100, thread=1) == addresses[1]


def test_malloc_promises_no_zeros(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    address = malloc(tcmalloc, 100)
    contents(tcmalloc_heap, address, 100)[:] = 0xFF
    operations.free(tcmalloc, 0, address)
    assert contents(tcmalloc_heap, malloc(tcmalloc, 100), 100)[8:].all()
    assert not DESIGN.zeroed


def freed_large_object(state: HeapState) -> int:
    """Return the address of a large object that is already free."""
    address = malloc(state, MEDIUM)
    operations.free(state, 0, address)
    return address


INVALID: dict[str, tuple[Place, Status]] = {
    "null": (lambda _: 0, Status.UNKNOWN_POINTER),
    "-1": (lambda _: -1, Status.UNKNOWN_POINTER),
    "-2^63": (lambda _: -(2**63), Status.UNKNOWN_POINTER),
    "2^48": (lambda _: 1 << 48, Status.UNKNOWN_POINTER),
    "2^63 - 8": (lambda _: 2**63 - 8, Status.UNKNOWN_POINTER),
    "after the heap": (lambda state: int(state.system[0].next), Status.UNKNOWN_POINTER),
    "free pages": (lambda state: int(state.system[0].next) - PAGE, Status.UNKNOWN_POINTER),
    "large and free": (freed_large_object, Status.UNKNOWN_POINTER),
    "stack": (lambda state: operations.allocate_stack(state, 1), Status.UNKNOWN_POINTER),
    "large + 8": (lambda state: malloc(state, MEDIUM) + 8, Status.NOT_SPAN_START),
}
INSIDE: dict[str, tuple[Place, Status]] = {
    "small + 1": (lambda state: malloc(state, 100) + 1, Status.NOT_OBJECT_START),
    "small + 8": (lambda state: malloc(state, 100) + 8, Status.NOT_OBJECT_START),
    "tail": (lambda state: malloc(state, 2800) + 8 * 2816, Status.NOT_OBJECT_START),
}


@pytest.mark.parametrize(("place", "status"), INVALID.values(), ids=INVALID)
def test_invalid_free_returns_the_reason_and_changes_nothing(
    tcmalloc_heap: Heap, tcmalloc: HeapState, place: Place, status: Status
) -> None:
    malloc(tcmalloc, 8)
    address = place(tcmalloc)
    before = [tcmalloc.page_heap.tobytes(), tcmalloc.cache[:2].tobytes()]
    assert operations.free(tcmalloc, 0, address) == status
    assert [tcmalloc.page_heap.tobytes(), tcmalloc.cache[:2].tobytes()] == before
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize(
    ("place", "status"), [*INVALID.values(), *INSIDE.values()], ids=[*INVALID, *INSIDE]
)
def test_inspect_detects_invalid_addresses(
    tcmalloc: HeapState, place: Place, status: Status
) -> None:
    malloc(tcmalloc, 8)
    address = place(tcmalloc)
    assert operations.inspect(tcmalloc, address) == status
    assert operations.usable_size(tcmalloc, address) == 0


@pytest.mark.parametrize("size", [100, MEDIUM])
def test_inspect_accepts_an_object(tcmalloc: HeapState, size: int) -> None:
    assert operations.inspect(tcmalloc, malloc(tcmalloc, size)) == Status.OK


def test_inspect_accepts_a_free_small_object(tcmalloc: HeapState) -> None:
    address = malloc(tcmalloc, 100)
    operations.free(tcmalloc, 0, address)
    assert operations.inspect(tcmalloc, address) == Status.OK


def test_thread_that_ends_releases_everything(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    for thread in (0, 1):
        live = [malloc(tcmalloc, size, thread) for size in (8, 100, 2800, 20_000) * 5]
        for address in live:
            operations.free(tcmalloc, thread, address)
    assert tcmalloc_heap.native_counters()["tcmalloc.thread_cache_free_bytes"] > 0
    for thread in (0, 1):
        assert operations.thread_done(tcmalloc, thread) == Status.OK
    counters = tcmalloc_heap.native_counters()
    assert counters["tcmalloc.thread_cache_free_bytes"] == 0
    assert counters["generic.current_allocated_bytes"] == 0
    assert tcmalloc.static[0].unclaimed_cache_space == tcmalloc.static[0].overall_thread_cache_size
    assert tcmalloc.static[0].thread_heap_count == 0
    assert tcmalloc_heap.check() == []


def test_end_of_a_thread_that_never_allocated_does_nothing(tcmalloc: HeapState) -> None:
    assert operations.thread_done(tcmalloc, 5) == Status.OK
    assert tcmalloc.static[0].thread_heap_count == 0
