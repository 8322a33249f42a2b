"""central_grab: a new span becomes objects of one class, in ascending addresses."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.designs.go2008.central_grab import central_grab, chunk_size
from allocsim.designs.go2008.pagemap import span_of
from allocsim.designs.go2008.records import RECIPROCAL_SHIFT, Go2008
from allocsim.designs.go2008.thread_cache import write_links
from tests.conftest import PAGE, Unsound, contents
from tests.designs.go2008.lookup import SIZES, links

SOME = [0, 1, 2, 14, 15, 46, 47, 59, 60, 100, 167]
"""Classes with short and long chunks. A chunk is the memory of one refill. Some chunks end with an
object, others have a tail."""

some_classes = pytest.mark.parametrize("size_class", SOME, ids=lambda c: f"{SIZES[c]} bytes")


@pytest.mark.parametrize(
    ("object_size", "expected"),
    [(8, 8192), (120, 122880), (1024, 1 << 20), (1152, 1 << 20), (32768, 1 << 20)],
)
def test_chunk_is_1024_objects_or_a_mebibyte(object_size: int, expected: int) -> None:
    assert chunk_size(object_size) == expected


def test_chunk_of_every_class_is_whole_pages() -> None:
    assert [chunk_size(size) % PAGE for size in SIZES] == [0] * 168


@some_classes
def test_list_holds_the_whole_chunk_in_ascending_addresses(
    heap: Heap, state: Go2008, size_class: int
) -> None:
    size = SIZES[size_class]
    assert central_grab(state, 0, size_class)
    first, count = heap.memory.address, min(1024 * size, 1 << 20) // size
    assert links(state, 0, size_class) == [first + size * index for index in range(count)]
    assert state.free_list[0, size_class].length == count


@some_classes
def test_span_has_its_class_and_objects(state: Go2008, size_class: int) -> None:
    size = SIZES[size_class]
    central_grab(state, 1, size_class)
    record = state.span[1]
    assert (record.size_class, record.object_size) == (size_class, size)
    assert record.objects == min(1024 * size, 1 << 20) // size
    assert record.pages == -(-min(1024 * size, 1 << 20) // PAGE)
    assert span_of(state, int(record.address + record.pages * PAGE) - 1) == 1


def test_refill_is_counted_for_its_class(state: Go2008) -> None:
    central_grab(state, 0, 5)
    central_grab(state, 1, 5)
    count = state.size_class[5]
    assert (count.spans, count.cached, count.in_use) == (2, 2048, 0)
    assert state.counters[0].refills == 2


def test_refill_fills_only_the_list_of_the_calling_thread(state: Go2008) -> None:
    central_grab(state, 1, 3)
    assert state.free_list[1, 3].length == 1024
    lengths = state.free_list[:4].length.copy()
    lengths[1, 3] = 0
    assert not lengths.any()


def test_nothing_but_the_links_is_written(heap: Heap, state: Go2008) -> None:
    central_grab(state, 0, SIZES.index(24))
    write_links(state)
    chunk = contents(heap, heap.memory.address, 24 * 1024).reshape(1024, 24)
    assert not chunk[:, 8:].any()
    assert not chunk[-1].any()
    assert not contents(heap, heap.memory.address + 24 * 1024, 8 * PAGE).any()


def test_heap_is_valid_after_refills(state: Go2008, unsound: Unsound) -> None:
    for size_class in SOME:
        central_grab(state, size_class % 2, size_class)
    assert unsound() == []


def test_refill_uses_a_free_span_before_the_heap_grows(state: Go2008) -> None:
    central_grab(state, 0, 0)
    central_grab(state, 0, 1)
    assert (state.counters[0].grows, state.counters[0].refills) == (1, 2)


def test_failed_refill_changes_nothing(state: Go2008, unsound: Unsound) -> None:
    state.system[0].frozen = 1
    assert not central_grab(state, 0, 0)
    assert state.system[0].refusal == Status.FROZEN
    assert (state.counters[0].refills, state.free_list[0, 0].length) == (0, 0)
    assert unsound() == []


def test_reciprocal_divides_every_offset_of_a_chunk_exactly(state: Go2008) -> None:
    for size_class, size in enumerate(SIZES):
        central_grab(state, 0, size_class)
        span = span_of(state, int(state.free_list[0, size_class].fresh))
        starts = np.arange(0, int(state.span[span].pages) * PAGE, size)
        # Three offsets of each object suffice, because the quotient never falls as offsets grow.
        for offsets in (starts, starts + 1, starts + size - 1):
            quotients = offsets * state.span[span].reciprocal >> RECIPROCAL_SHIFT
            assert (quotients == offsets // size).all()
