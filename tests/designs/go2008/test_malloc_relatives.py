"""Other calls of go2008: realloc, memalign, calloc, and stack segments."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.designs.go2008.records import Go2008, SpanState
from tests.calling import Place, malloc
from tests.conftest import PAGE, Unsound, contents
from tests.designs.go2008.lookup import LARGE_SIZE, SIZES, links, records, slot


@pytest.mark.parametrize("old", [1, 24, 100, 32767, 32768, 100_000])
@pytest.mark.parametrize("new", [1, 8, 25, 1000, 32767, 40_000])
def test_realloc_keeps_the_contents(heap: Heap, state: Go2008, old: int, new: int) -> None:
    address = malloc(state, old)
    written = np.random.default_rng(old).integers(0, 256, old).astype(np.uint8)
    contents(heap, address, old)[:] = written
    moved = operations.realloc(state, 0, address, new)
    kept = min(old, new)
    assert contents(heap, moved, kept).tolist() == written[:kept].tolist()
    assert not contents(heap, moved + old, max(new - old, 0)).any()
    assert operations.usable_size(state, moved) == slot(new)


def test_realloc_allocates_before_it_frees(state: Go2008) -> None:
    address = malloc(state, 24)
    following = links(state, 0, SIZES.index(24))
    assert operations.realloc(state, 0, address, 24) == following[0]
    assert links(state, 0, SIZES.index(24)) == [address, *following[1:]]


def test_realloc_frees_to_the_calling_thread(state: Go2008) -> None:
    address = malloc(state, 24, thread=0)
    operations.realloc(state, 1, address, 50_000)
    assert links(state, 1, SIZES.index(24)) == [address]


@pytest.mark.parametrize(
    ("size", "status"),
    [(2**62, Status.OUT_OF_MEMORY), (2**20, Status.FROZEN), (32, Status.FROZEN)],
)
def test_failed_realloc_leaves_the_object_as_it_was(
    heap: Heap, state: Go2008, size: int, status: Status
) -> None:
    address = malloc(state, 24)
    contents(heap, address, 24)[:] = 7
    operations.freeze(state)
    before = records(state)
    assert operations.realloc(state, 0, address, size) == 0
    assert operations.refusal(state) == status
    assert contents(heap, address, 24).tolist() == [7] * 24
    assert records(state) == before


SOME_SIZES = [0, 1, 8, 24, 100, 500, 3000, 32767, 32768, 100_000]


@pytest.mark.parametrize("alignment", [1 << power for power in range(0, 22, 1)], ids=hex)
def test_aligned_objects_are_aligned_and_do_not_overlap(
    heap: Heap, state: Go2008, unsound: Unsound, alignment: int
) -> None:
    sizes = SOME_SIZES * 2
    addresses = [operations.memalign(state, 0, alignment, size) for size in sizes]
    assert all(address and address % alignment == 0 for address in addresses)
    for number, (address, size) in enumerate(zip(addresses, sizes, strict=True), 1):
        assert not contents(heap, address, size).any()
        contents(heap, address, size)[:] = number
    for number, (address, size) in enumerate(zip(addresses, sizes, strict=True), 1):
        assert (contents(heap, address, size) == number).all()
        assert operations.free(state, 0, address) == Status.OK
    assert unsound() == []


@pytest.mark.parametrize("alignment", [1, 8, 16, 64, 256, 4096])
@pytest.mark.parametrize("size", SOME_SIZES)
def test_aligned_object_has_the_class_of_its_size(state: Go2008, alignment: int, size: int) -> None:
    address = operations.memalign(state, 0, alignment, size)
    assert operations.usable_size(state, address) == slot(size)
    assert state.counters[0].refills == (size < LARGE_SIZE)


def test_aligned_object_may_follow_others_on_the_list(state: Go2008) -> None:
    first = malloc(state, 48)
    assert operations.memalign(state, 0, 64, 48) == first + 4 * 48
    assert malloc(state, 48) == first + 48
    assert state.counters[0].refills == 1


def test_larger_class_is_used_if_no_object_of_the_right_one_is_aligned(state: Go2008) -> None:
    first, second = malloc(state, 48), malloc(state, 48)
    assert first % 64 == 0
    operations.free(state, 1, second)
    address = operations.memalign(state, 1, 64, 48)
    assert address % 64 == 0
    assert operations.usable_size(state, address) == 64
    assert links(state, 1, SIZES.index(48)) == [second]


@pytest.mark.parametrize("size", [8, 1000, 50_000])
def test_calloc_gives_zeros_where_others_wrote(heap: Heap, state: Go2008, size: int) -> None:
    address = malloc(state, size)
    contents(heap, address, size)[:] = 0xFF
    operations.free(state, 0, address)
    assert operations.calloc(state, 0, size) == address
    assert not contents(heap, address, slot(size)).any()


@pytest.mark.parametrize(("size", "pages"), [(-1, 1), (0, 1), (1, 1), (4096, 1), (4097, 2)])
def test_stack_segment_is_whole_pages(state: Go2008, size: int, pages: int) -> None:
    address = operations.allocate_stack(state, size)
    assert (state.span[1].address, state.span[1].pages) == (address, pages)
    assert state.span[1].state == SpanState.STACK


def test_freed_stack_segment_is_cleared_and_reused(heap: Heap, state: Go2008) -> None:
    address = operations.allocate_stack(state, 3 * PAGE)
    contents(heap, address, 3 * PAGE)[:] = 1
    assert operations.free_stack(state, address) == Status.OK
    assert not contents(heap, address, 3 * PAGE).any()
    assert operations.allocate_stack(state, 3 * PAGE) == address


NO_STACK: dict[str, tuple[Place, Status]] = {
    "null": (lambda _: 0, Status.UNKNOWN_POINTER),
    "small": (lambda state: malloc(state, 24), Status.UNKNOWN_POINTER),
    "large": (lambda state: malloc(state, LARGE_SIZE), Status.UNKNOWN_POINTER),
    "inside": (lambda state: operations.allocate_stack(state, 1) + 8, Status.NOT_SPAN_START),
}


@pytest.mark.parametrize(("place", "status"), NO_STACK.values(), ids=NO_STACK)
def test_free_stack_fails_for_anything_else(state: Go2008, place: Place, status: Status) -> None:
    address = place(state)
    before = records(state)
    assert operations.free_stack(state, address) == status
    assert records(state) == before


def test_stack_segment_is_freed_once(state: Go2008) -> None:
    address = operations.allocate_stack(state, 1)
    assert operations.free_stack(state, address) == Status.OK
    assert operations.free_stack(state, address) == Status.UNKNOWN_POINTER
