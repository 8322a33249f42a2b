"""Figures of a heap: bytes of each part and of metadata, and the counts of each size class."""

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.core.records import PARTS
from allocsim.designs.go2008 import create
from allocsim.designs.go2008.account import class_uses
from allocsim.designs.go2008.pagemap import NODE_BYTES
from allocsim.designs.go2008.records import Go2008, Span
from allocsim.designs.go2008.thread_cache import CACHE_BYTES
from tests.calling import malloc, measured
from tests.conftest import PAGE
from tests.designs.go2008.lookup import SIZES


def test_metadata_of_a_thread_is_a_head_and_a_length_for_each_class() -> None:
    assert CACHE_BYTES == 168 * 16


def test_metadata_of_a_thread_is_counted_when_it_begins(heap: Heap) -> None:
    before = operations.footprint(heap.state)
    assert operations.thread_begin(heap.state, 0) == Status.OK
    assert operations.footprint(heap.state) == before + (1 << 20)
    assert heap.state.static[0].chunk_left == (1 << 20) - CACHE_BYTES
    assert heap.state.static[0].threads == 1


def test_empty_heap_has_nothing_but_its_page_map() -> None:
    state = create(Reservation(1 << 20), 1, {})
    sample = measured(state, 0)
    assert [sample[name] for name in PARTS] == [0] * 8
    assert (sample.heap, sample.metadata, sample.footprint) == (0, NODE_BYTES, NODE_BYTES)


def test_each_part_is_the_sum_of_the_calls(state: Go2008) -> None:
    malloc(state, 3000)  # a chunk of 1 MiB: 341 objects of 3072 bytes and a tail of 1024
    malloc(state, 40_000)  # 10 pages of the next growth
    operations.free(state, 0, malloc(state, 60_000))  # 15 pages after them
    sample = measured(state, 43_000)
    expected = {
        "live": 43_000,
        "rounding": 3072 + 10 * PAGE - 43_000,
        "tail": (1 << 20) - 341 * 3072,
        "thread_cache": 340 * 3072,
        "free_spans": (256 - 10) * PAGE,
    }
    assert {name: sample[name] for name in PARTS if sample[name]} == expected
    assert sample.heap == sum(expected.values()) == 2 << 20
    counted = {"spans_total": 4, "spans_in_use": 2, "spans_free": 2, "grows": 2, "splits": 2}
    assert {name: sample[name] for name in counted} == counted
    assert (sample.refills, sample.coalesces) == (1, 0)


def test_metadata_is_page_map_span_records_and_caches(state: Go2008) -> None:
    for _ in range(3):
        malloc(state, 40_000)
    sample, nodes = measured(state, 0), int(state.static[0].nodes) - 1
    small = 2 * CACHE_BYTES + 4 * -(-Span.dtype.itemsize // 16) * 16
    assert sample.metadata == nodes * NODE_BYTES + (1 << 20)
    assert state.static[0].chunk_left == (1 << 20) - small
    assert sample.footprint == sample.heap + sample.metadata


def test_classes_count_their_objects(state: Go2008) -> None:
    objects = [malloc(state, 24) for _ in range(5)]
    operations.free(state, 1, objects[0])
    used = [use for use in class_uses(state) if use.spans]
    assert [(use.object_size, use.spans, use.in_use, use.free) for use in used] == [
        (24, 1, 4, 1020)
    ]
    assert [use.object_size for use in class_uses(state)] == SIZES
