"""Invariants of classes and caches: any wrong number in a record or a link is reported."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core.raw import store_word
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.records import CentralFreeList, FreeList
from tests.corruptions import GARBAGE
from tests.designs.tcmalloc.corrupt_caches import SMALL, TAILED, head_of


def test_busy_heap_has_free_objects_in_every_tier(
    busy_heap: Heap, busy_tcmalloc: HeapState
) -> None:
    info = busy_tcmalloc.size_class[SMALL]
    assert 0 < info.used_slots <= info.cache_size
    assert info.free_objects > 0
    assert all(part for name, part in busy_heap.profile().parts.items() if name != "live")
    assert busy_tcmalloc.free_list[0, TAILED].head
    assert busy_tcmalloc.free_list[1, TAILED].length


CONSTANTS = ("object_size", "pages", "batch", "max_cache_size")
"""Fields of a class that never change and that no invariant covers."""

TABLES = [
    *(("size_class", name) for name in CentralFreeList.dtype.names or () if name not in CONSTANTS),
    *(("cache", name) for name in ("size_", "max_size", "next", "previous")),
    *(
        ("static", name)
        for name in (
            "overall_thread_cache_size",
            "unclaimed_cache_space",
            "thread_heaps",
            "thread_heap_count",
        )
    ),
    *(("free_list", name) for name in (FreeList.dtype.names or ())[:3]),
    ("tc_slots", ""),
]


@pytest.mark.parametrize(("table", "field"), TABLES, ids=str)
def test_number_beyond_its_table_is_reported(
    busy_heap: Heap, busy_tcmalloc: HeapState, table: str, field: str
) -> None:
    place = {"size_class": SMALL, "free_list": (0, SMALL), "tc_slots": (SMALL, 0)}.get(table, 0)
    found = getattr(busy_tcmalloc, table)
    if field:
        found = found[field]
    limits = np.iinfo(found.dtype)
    for value in GARBAGE:
        found[place] = min(max(value, limits.min), limits.max)
        assert busy_heap.check() != [], value


def test_link_of_any_number_is_reported(busy_heap: Heap, busy_tcmalloc: HeapState) -> None:
    for link in (-(2**62), -1, 8, 2**31, 2**62):
        store_word(head_of(busy_tcmalloc, SMALL), link)
        assert busy_heap.check() != [], link


def test_link_in_the_last_bytes_of_the_heap_is_reported(
    busy_heap: Heap, busy_tcmalloc: HeapState
) -> None:
    store_word(head_of(busy_tcmalloc, SMALL), int(busy_tcmalloc.system[0].next) - 1)
    assert busy_heap.check() != []
