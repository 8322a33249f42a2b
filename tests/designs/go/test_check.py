"""Invariants: a valid heap passes in each mode, and each corruption is reported."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core.check import Invariant
from allocsim.designs.go import check_classes, check_pages
from allocsim.designs.go.records import (
    GcController,
    MCentral,
    MHeap,
    MSpan,
    PallocSum,
    ScavChunkData,
    Scavenger,
    SpanSet,
    SpanUse,
)
from tests.corruptions import GARBAGE, Corrupt, invariants_in, require_reported
from tests.designs.go.conftest import each_mode, keep_busy
from tests.designs.go.corruptions import CLASS, CORRUPTIONS, a_span

own = invariants_in(check_classes) | invariants_in(check_pages)


@each_mode
def test_valid_heap_passes(settings: dict[str, int]) -> None:
    with Heap("go", reserve=64 << 20, **settings) as heap:
        assert heap.check() == []
        if settings.get("collect"):
            keep_busy(heap.state)
        else:
            for size in (3, 100, 100, 5000, 40_000):
                heap.malloc(size)
                heap.free(heap.malloc(size))
        assert heap.check() == []


def test_busy_heap_has_every_part(busy_heap: Heap) -> None:
    assert busy_heap.check() == []
    parts = busy_heap.profile().parts
    assert all(part for name, part in parts.items() if name not in ("live", "free_spans"))
    assert busy_heap.state.mcentral[CLASS].alloc_cache
    assert a_span(busy_heap.state)


@pytest.mark.parametrize(
    ("invariant", "corrupt", "sentence"), CORRUPTIONS.all, ids=CORRUPTIONS.names
)
def test_corruption_is_reported(
    busy_heap: Heap, invariant: Invariant, corrupt: Corrupt, sentence: str
) -> None:
    require_reported(busy_heap, invariant, corrupt, sentence)


def test_every_invariant_has_a_corruption() -> None:
    assert CORRUPTIONS.invariants == own == set(check_classes.INVARIANTS)


UNCHECKED = {
    "mheap": {"arenas", "scav", "direct", "freegc", "taken", "start"},
    "gc_controller": set(GcController.dtype.names or ()) - {"dead_bytes", "dead_objects"},
    "scavenger": set(Scavenger.dtype.names or ()),
    "mcentral": {"div_mul", "elemsize", "nelems", "alloc_word", "alloc_bit", "next_class"},
    "scav_chunk": {"last_in_use", "gen", "has_free"},
    "mspan": {"offset"},
}
"""Fields that no invariant covers: settings, and numbers that may have any value."""

RECORDS = {
    "mheap": MHeap, "gc_controller": GcController, "scavenger": Scavenger, "mcentral": MCentral,
    "span_set": SpanSet, "mspan": MSpan, "span_use": SpanUse, "summary": PallocSum,
    "scav_chunk": ScavChunkData,
}  # fmt: skip

FIELDS = [
    (table, name)
    for table, record in RECORDS.items()
    for name in record.dtype.names or ()
    if name not in UNCHECKED.get(table, ())
]


@pytest.mark.parametrize(("table", "field"), FIELDS, ids=str)
def test_number_beyond_its_table_is_reported(busy_heap: Heap, table: str, field: str) -> None:
    state = busy_heap.state
    places = {"mcentral": CLASS, "span_set": (CLASS, 0), "mspan": a_span(state), "summary": (0, 0)}
    places["span_use"] = places["mspan"]
    column = getattr(state, table)[field]
    limits = np.iinfo(column.dtype)
    for value in GARBAGE[1::2]:
        column[places.get(table, 0)] = min(max(value, limits.min), limits.max)
        assert busy_heap.check() != [], value
