"""Samples: the parts are counted independently, and sum to the heap."""

from collections.abc import Callable

import pytest

from allocsim.core.records import PARTS, HeapState, Record
from allocsim.designs.tcmalloc.check_page_heap import spans_of
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.stats import cached_bytes, tail_of
from tests.calling import measured
from tests.designs.tcmalloc.lookup import cached, class_for

SMALL, TAILED = class_for(9216), class_for(2800)


def total(sample: Record) -> int:
    """Return the sum of the parts."""
    return sum(int(sample[name]) for name in PARTS)


def test_empty_heap_is_metadata_alone(tcmalloc: HeapState) -> None:
    sample = measured(tcmalloc)
    assert [int(sample[name]) for name in (*PARTS, "heap")] == [0] * 9
    assert sample.footprint == sample.metadata == tcmalloc.system[0].footprint


def test_parts_sum_to_the_heap(busy_tcmalloc: HeapState) -> None:
    sample = measured(busy_tcmalloc, 12345)
    assert total(sample) == sample.heap == busy_tcmalloc.system[0].heap
    assert all(sample[name] > 0 for name in PARTS)
    assert sample.footprint == sample.heap - sample.released + sample.metadata


def test_parts_are_what_the_lists_hold(busy_tcmalloc: HeapState) -> None:
    sample, infos = measured(busy_tcmalloc), busy_tcmalloc.size_class
    spans = spans_of(busy_tcmalloc).values()
    sizes = infos.object_size.tolist()
    caches = [
        size * len(cached(busy_tcmalloc, thread, number))
        for thread in (0, 1)
        for number, size in enumerate(sizes)
    ]
    assert sample.thread_cache == sum(caches) == cached_bytes(busy_tcmalloc)
    mine = [(span, infos[span.size_class]) for span in spans if span.size_class]
    held = sum((info.objects - span.refcount) * info.object_size for span, info in mine)
    assert sample.central == held
    assert sample.tail == sum(span.pages * PAGE % info.object_size for span, info in mine)
    assert sample.transfer == int(infos.used_slots[SMALL]) * 7 * 9216
    assert sample.free_spans == busy_tcmalloc.page_heap[0].free_pages * PAGE
    assert sample.released == busy_tcmalloc.page_heap[0].unmapped_pages * PAGE


def test_live_is_passed_in_and_rounding_is_the_rest_of_the_objects_in_use(
    busy_tcmalloc: HeapState,
) -> None:
    one, other = measured(busy_tcmalloc, 1000), measured(busy_tcmalloc, 5000)
    assert (one.live, other.live) == (1000, 5000)
    assert one.rounding - other.rounding == 4000


def test_tail_is_too_small_for_an_object(tcmalloc: HeapState) -> None:
    assert tail_of(tcmalloc.size_class[TAILED]) == 3 * PAGE - 8 * 2816
    assert tail_of(tcmalloc.size_class[class_for(64)]) == 0


def test_counts_are_those_of_the_heap(busy_tcmalloc: HeapState) -> None:
    sample, counters = measured(busy_tcmalloc), busy_tcmalloc.counters[0]
    for name in ("grows", "splits", "coalesces", "refills"):
        assert sample[name] == counters[name] > 0
    assert sample.spans_total == counters.spans == sample.spans_in_use + sample.spans_free
    assert sample.spans_free == counters.free_spans


Spoil = Callable[[HeapState], None]


def spoils(table: str, field: str, place: int | tuple[int, int] = 0) -> Spoil:
    """Return a function that counts one too many in a field."""
    return lambda state: getattr(state, table)[field].__setitem__(
        place, getattr(state, table)[field][place] + 1
    )


SPOILED = {
    "heap": spoils("system", "heap"),
    "free pages": spoils("page_heap", "free_pages"),
    "returned pages": spoils("page_heap", "unmapped_pages"),
    "large pages": spoils("counters", "large_pages"),
    "spans of a class": spoils("size_class", "num_spans", SMALL),
    "bytes of a cache": spoils("cache", "size_", 1),
    "length of a list": spoils("free_list", "length", (1, TAILED)),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_one_wrong_count_breaks_the_sum(busy_tcmalloc: HeapState, spoil: Spoil) -> None:
    spoil(busy_tcmalloc)
    sample = measured(busy_tcmalloc)
    assert total(sample) != sample.heap
