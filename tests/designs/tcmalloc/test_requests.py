"""calloc, memalign, realloc and stack segments."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.size_classes import MAX_SIZE, PAGE
from tests.calling import malloc
from tests.conftest import contents
from tests.designs.tcmalloc.lookup import MEDIUM, cached, class_for, slot


@pytest.mark.parametrize("size", [1, 100, 2800, MAX_SIZE, MEDIUM])
def test_calloc_clears_the_whole_object(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int
) -> None:
    address = malloc(tcmalloc, size)
    contents(tcmalloc_heap, address, slot(size))[:] = 0xFF
    operations.free(tcmalloc, 0, address)
    assert operations.calloc(tcmalloc, 0, size) == address
    assert not contents(tcmalloc_heap, address, slot(size)).any()


@pytest.mark.parametrize("exponent", range(14))
@pytest.mark.parametrize("size", [0, 1, 100, 8192, 100_000, MAX_SIZE])
def test_alignment_up_to_a_page_rounds_the_size_up(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int, exponent: int
) -> None:
    alignment = 1 << exponent
    rounded = -(-max(size, 1) // alignment) * alignment
    for _ in range(3):
        address = operations.memalign(tcmalloc, 0, alignment, size)
        assert address % alignment == 0
        assert operations.usable_size(tcmalloc, address) == slot(rounded)
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize("exponent", range(14, 23))
@pytest.mark.parametrize("size", [0, 1, PAGE + 1, MEDIUM])
def test_alignment_beyond_a_page_uses_whole_pages(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int, exponent: int
) -> None:
    malloc(tcmalloc, 8)
    addresses = [operations.memalign(tcmalloc, 0, 1 << exponent, size) for _ in range(2)]
    assert [address % (1 << exponent) for address in addresses] == [0, 0]
    assert operations.usable_size(tcmalloc, addresses[0]) == max(-(-size // PAGE), 1) * PAGE
    assert tcmalloc_heap.check() == []
    assert [operations.free(tcmalloc, 0, address) for address in addresses] == [Status.OK] * 2
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize(
    ("old", "new", "size"),
    [
        (112, 112, 112),  # the same size
        (112, 56, 112),  # half used: stays in place
        (112, 55, 64),  # less than half: moves
        (112, 113, 144),  # grows by a quarter: 140
        (112, 139, 144),
        (112, 140, 144),
        (112, 200, 208),  # more than a quarter
        (MAX_SIZE, MAX_SIZE + 1, 40 * PAGE),
        (40 * PAGE, 20 * PAGE, 40 * PAGE),
        (40 * PAGE, 20 * PAGE - 1, 20 * PAGE),
        (40 * PAGE, 41 * PAGE, 50 * PAGE),
        (40 * PAGE, 60 * PAGE, 60 * PAGE),
    ],
)
def test_realloc_stays_in_place_while_half_is_used_and_grows_by_a_quarter(
    tcmalloc_heap: Heap, tcmalloc: HeapState, old: int, new: int, size: int
) -> None:
    address = malloc(tcmalloc, old)
    written = np.random.default_rng(old).integers(0, 256, old).astype(np.uint8)
    contents(tcmalloc_heap, address, old)[:] = written
    moved = operations.realloc(tcmalloc, 0, address, new)
    assert operations.usable_size(tcmalloc, moved) == size
    assert bool(moved == address) is (size == old)
    kept = min(old, new)
    assert contents(tcmalloc_heap, moved, kept).tolist() == written[:kept].tolist()
    assert tcmalloc_heap.check() == []


def test_realloc_allocates_the_new_object_before_it_frees_the_old(tcmalloc: HeapState) -> None:
    address = malloc(tcmalloc, 100_000)
    moved = operations.realloc(tcmalloc, 0, address, 110_000)
    assert moved != address
    assert cached(tcmalloc, 0, class_for(100_000)) == [address]


def test_realloc_falls_back_to_the_requested_size(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    address, other = malloc(tcmalloc, 112), malloc(tcmalloc, 128)
    operations.freeze(tcmalloc)
    while malloc(tcmalloc, PAGE):  # until no pages are left for objects of 140 bytes
        pass
    operations.free(tcmalloc, 0, other)
    moved = operations.realloc(tcmalloc, 0, address, 113)
    assert (moved, operations.usable_size(tcmalloc, moved)) == (other, 128)
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize("size", [200, MEDIUM, 1 << 40, 1 << 62])
def test_failed_realloc_leaves_the_object_unchanged(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int
) -> None:
    address = malloc(tcmalloc, 100)
    contents(tcmalloc_heap, address, 100)[:] = 7
    operations.freeze(tcmalloc)
    while malloc(tcmalloc, PAGE):
        pass
    while malloc(tcmalloc, 208):
        pass
    assert operations.realloc(tcmalloc, 0, address, size) == 0
    assert contents(tcmalloc_heap, address, 100).tolist() == [7] * 100
    assert operations.inspect(tcmalloc, address) == Status.OK
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize(("size", "pages"), [(-1, 1), (0, 1), (1, 1), (PAGE, 1), (PAGE + 1, 2)])
def test_stack_segment_is_whole_pages_that_only_free_stack_accepts(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int, pages: int
) -> None:
    address = operations.allocate_stack(tcmalloc, size)
    assert tcmalloc.counters[0].large_pages == pages
    assert operations.free(tcmalloc, 0, address) == Status.UNKNOWN_POINTER
    assert operations.free_stack(tcmalloc, address + 8) == Status.NOT_SPAN_START
    assert operations.free_stack(tcmalloc, address) == Status.OK
    assert operations.free_stack(tcmalloc, address) == Status.UNKNOWN_POINTER
    assert operations.free_stack(tcmalloc, malloc(tcmalloc, MEDIUM)) == Status.UNKNOWN_POINTER
    assert tcmalloc_heap.check() == []
