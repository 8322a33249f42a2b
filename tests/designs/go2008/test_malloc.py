"""malloc and free of go2008: sizes, lists, cleared memory, three kinds of invalid free."""

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.core.raw import load_word
from allocsim.designs.go2008 import DESIGN, SIZE_CLASSES, size_classes
from allocsim.designs.go2008.records import Go2008, SpanState
from tests.calling import Place, malloc
from tests.conftest import PAGE, Unsound, contents
from tests.designs.go2008.lookup import LARGE_SIZE, SIZES, links, records, slot

BOUNDS = [0, 1, 7, 8, 9, 120, 121, 240, 241, 481, 960, 961, 1921, 2048, 32512, 32513, 32767]
"""Small sizes at the bounds of classes and of ranges of classes."""

LARGE = [32768, 32769, 36864, 36865, 1 << 20, (1 << 20) + 1, 300 * PAGE]


@pytest.mark.parametrize("size", BOUNDS + LARGE)
def test_object_has_the_size_of_its_class_or_whole_pages(state: Go2008, size: int) -> None:
    assert operations.usable_size(state, malloc(state, size)) == slot(size)


@pytest.mark.parametrize("size", [0, -1, -8, -(2**62), -(2**63)], ids=str)
def test_request_of_zero_or_less_is_an_object_of_8_bytes(state: Go2008, size: int) -> None:
    first, second = malloc(state, size), malloc(state, size)
    assert first != second
    assert operations.usable_size(state, first) == 8


def test_small_objects_of_a_class_are_adjacent(heap: Heap, state: Go2008) -> None:
    addresses = [malloc(state, 100) for _ in range(5)]
    assert addresses == [heap.memory.address + 104 * index for index in range(5)]


def test_thread_list_is_used_before_a_refill(state: Go2008) -> None:
    addresses = [malloc(state, 3000) for _ in range(341)]
    assert (len(set(addresses)), state.counters[0].refills) == (341, 1)
    malloc(state, 3000)
    assert state.counters[0].refills == 2


def test_object_goes_to_the_list_of_the_thread_that_frees_it(state: Go2008) -> None:
    address = malloc(state, 24, thread=0)
    assert operations.free(state, 1, address) == Status.OK
    assert links(state, 1, SIZES.index(24)) == [address]
    assert malloc(state, 24, thread=1) == address


def test_free_objects_are_linked_through_their_first_word(state: Go2008) -> None:
    addresses = [malloc(state, 24) for _ in range(3)]
    for address in addresses:
        operations.free(state, 1, address)
    assert [load_word(address) for address in addresses] == [0, *addresses[:2]]


@pytest.mark.parametrize("size", [8, 24, 64, 72, 1000, 32767, 32768, 100_000])
def test_freed_memory_is_zero_but_for_its_link(heap: Heap, state: Go2008, size: int) -> None:
    address = malloc(state, size)
    contents(heap, address, slot(size))[:] = 0xEE
    operations.free(state, 0, address)
    assert not contents(heap, address + 8, slot(size) - 8).any()
    assert malloc(state, size) == address
    assert not contents(heap, address, slot(size)).any()


def test_free_clears_nothing_of_the_neighbours(heap: Heap, state: Go2008) -> None:
    for size in (24, 104, 40_000):
        addresses = [malloc(state, size) for _ in range(3)]
        for address in addresses:
            contents(heap, address, slot(size))[:] = 0xEE
        operations.free(state, 0, addresses[1])
        assert all(contents(heap, address, slot(size)).all() for address in addresses[::2])


def test_large_object_has_a_span_of_its_own(state: Go2008) -> None:
    address = malloc(state, LARGE_SIZE)
    assert (state.span[1].address, state.span[1].pages) == (address, 8)
    assert state.counters[0].large_pages == 8
    operations.free(state, 0, address)
    assert (state.span[1].state, state.counters[0].large_pages) == (SpanState.FREE, 0)


def free_span_address(state: Go2008) -> int:
    """Return an address in the free span that the first allocation leaves."""
    malloc(state, 8)
    return int(state.system[0].next) - PAGE


def freed_large_object(state: Go2008) -> int:
    """Return the address of a large object that is already free."""
    address = malloc(state, LARGE_SIZE)
    operations.free(state, 0, address)
    return address


def tail(state: Go2008) -> int:
    """Return the end address of the last object of a chunk."""
    return malloc(state, 3000) + 341 * 3072


INVALID: dict[str, tuple[Place, Status]] = {
    "null": (lambda _: 0, Status.UNKNOWN_POINTER),
    "before the heap": (lambda state: int(state.system[0].next) - 1, Status.UNKNOWN_POINTER),
    "after the heap": (lambda state: int(state.system[0].next), Status.UNKNOWN_POINTER),
    "far away": (lambda _: 2**63 - 8, Status.UNKNOWN_POINTER),
    "free span": (free_span_address, Status.UNKNOWN_POINTER),
    "large and free": (freed_large_object, Status.UNKNOWN_POINTER),
    "stack": (lambda state: operations.allocate_stack(state, 1), Status.UNKNOWN_POINTER),
    "large + 1": (lambda state: malloc(state, LARGE_SIZE) + 1, Status.NOT_SPAN_START),
    "large + 8": (lambda state: malloc(state, LARGE_SIZE) + 8, Status.NOT_SPAN_START),
    "large + a page": (lambda state: malloc(state, LARGE_SIZE) + PAGE, Status.NOT_SPAN_START),
    "small + 1": (lambda state: malloc(state, 24) + 1, Status.NOT_OBJECT_START),
    "small + 8": (lambda state: malloc(state, 24) + 8, Status.NOT_OBJECT_START),
    "small - 1": (lambda state: malloc(state, 24) + 23, Status.NOT_OBJECT_START),
    "tail": (tail, Status.NOT_OBJECT_START),
    "tail + 8": (lambda state: tail(state) + 8, Status.NOT_OBJECT_START),
}
invalid = pytest.mark.parametrize(("place", "status"), INVALID.values(), ids=INVALID)


@invalid
def test_invalid_free_fails_and_changes_nothing(
    heap: Heap, state: Go2008, unsound: Unsound, place: Place, status: Status
) -> None:
    address = place(state)
    before, bytes_before = records(state), contents(heap, heap.memory.address, PAGE).tobytes()
    assert operations.free(state, 0, address) == status
    assert records(state) == before
    assert contents(heap, heap.memory.address, PAGE).tobytes() == bytes_before
    assert unsound() == []


@invalid
def test_inspect_returns_the_status_of_free(state: Go2008, place: Place, status: Status) -> None:
    address = place(state)
    assert operations.inspect(state, address) == status
    assert operations.usable_size(state, address) == 0


def test_inspect_accepts_a_free_small_object(state: Go2008) -> None:
    address = malloc(state, 24)
    operations.free(state, 0, address)
    assert operations.inspect(state, address) == Status.OK


def test_end_of_a_thread_changes_nothing(state: Go2008) -> None:
    operations.free(state, 1, malloc(state, 24))
    before = records(state)
    assert operations.thread_done(state, 1) == Status.OK
    assert records(state) == before


def test_design_has_no_parameters_and_zeroed_objects() -> None:
    assert (DESIGN.name, DESIGN.zeroed, dict(DESIGN.parameters)) == ("go2008", True, {})
    assert size_classes({}) is SIZE_CLASSES
