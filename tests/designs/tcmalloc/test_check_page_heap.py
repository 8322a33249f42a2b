"""Invariants of the page heap: any wrong number in a record is reported."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core.check import violations
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc import check_page_heap
from allocsim.designs.tcmalloc.metadata import METADATA_ALLOC_CHUNK_SIZE
from allocsim.designs.tcmalloc.pagemap import LEAF_BITS
from allocsim.designs.tcmalloc.records import Span, SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE
from tests.corruptions import GARBAGE
from tests.designs.tcmalloc.corrupt_page_heap import some


def test_busy_heap_has_spans_of_every_kind(busy_tcmalloc: HeapState) -> None:
    for state in (SpanState.FREE, SpanState.RETURNED):
        assert some(busy_tcmalloc, state, long=False) != some(busy_tcmalloc, state, long=True)
    assert some(busy_tcmalloc, SpanState.STACK)
    assert some(busy_tcmalloc, SpanState.IN_USE, classed=True)
    assert some(busy_tcmalloc, SpanState.IN_USE, long=True)


@pytest.mark.parametrize("field", Span.dtype.names or ())
def test_null_span_is_untouched_in_every_field(
    busy_heap: Heap, busy_tcmalloc: HeapState, field: str
) -> None:
    busy_tcmalloc.span[0][field] = 1
    found = violations(busy_tcmalloc, busy_heap.memory, (check_page_heap.null_span_is_untouched,))
    assert any("null span was written" in line for line in found)


def test_area_of_metadata_is_a_valid_gap(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    tcmalloc_heap.malloc(300_000)
    state.system[0].next += METADATA_ALLOC_CHUNK_SIZE
    assert tcmalloc_heap.check() == []
    tcmalloc_heap.malloc(2 << 20)
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize("field", [name for name in Span.dtype.names or () if name != "state"])
def test_number_beyond_its_table_in_a_span_is_reported(
    busy_heap: Heap, busy_tcmalloc: HeapState, field: str
) -> None:
    spans = [
        some(busy_tcmalloc, SpanState.FREE),
        some(busy_tcmalloc, SpanState.RETURNED, long=True),
        some(busy_tcmalloc, SpanState.IN_USE, classed=True),
    ]
    for value in GARBAGE:
        for number in spans:
            busy_tcmalloc.span[number][field] = value
        assert busy_heap.check() != [], value


@pytest.mark.parametrize(
    "field", ["large_normal", "large_returned", "free_pages", "unmapped_pages", "large_spans"]
)
def test_garbage_in_the_page_heap_is_reported(
    busy_heap: Heap, busy_tcmalloc: HeapState, field: str
) -> None:
    for value in GARBAGE:
        busy_tcmalloc.page_heap[0][field] = value
        assert busy_heap.check() != [], value


def test_garbage_in_the_page_map_is_reported(busy_heap: Heap, busy_tcmalloc: HeapState) -> None:
    for value in GARBAGE:
        busy_tcmalloc.page_map[busy_heap.memory.address // PAGE >> LEAF_BITS] = value
        assert busy_heap.check() != [], value


@pytest.mark.parametrize("field", ["next", "heap"])
def test_garbage_in_the_system_record_is_reported(
    busy_heap: Heap, busy_tcmalloc: HeapState, field: str
) -> None:
    for value in GARBAGE:
        busy_tcmalloc.system[0][field] = value
        assert busy_heap.check() != [], value


def test_check_changes_no_record_and_touches_no_page(
    busy_heap: Heap, busy_tcmalloc: HeapState
) -> None:
    def everything() -> list[bytes]:
        """Return the first rows of every table, as bytes."""
        tables = [np.asarray(table[:1000]) for table in busy_tcmalloc[:10]]
        return [table.tobytes() for table in tables]

    before, resident = everything(), busy_heap.resident()
    assert busy_heap.check() == []
    assert (everything(), busy_heap.resident()) == (before, resident)
