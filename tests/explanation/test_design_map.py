"""How a design's footprint is divided among owners: hand-computed figures, random workloads."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.explanation.design_map import map_of, play_until
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.labels import MAKERS, label
from allocsim.explanation.lives import read_lives
from allocsim.explanation.owners import Owner, owners_by, parts_of, unowned
from allocsim.explanation.shares import share_out
from tests.conftest import RESERVE
from tests.driving import random_calls, stream_of
from tests.explanation.patterns import every_eighth, half_of_eight, labels_of, two_owners
from tests.playing import QUIET, trace_of


def mapped(design: str, events: Any, at: int | None = None, **parameters: str) -> HeapMap:
    """Return the map of a design's heap after `at` events, or after all events if `at` is None."""
    with Heap(design, reserve=RESERVE, **parameters) as heap:
        player = play_until(heap, trace_of(events), len(events) if at is None else at, QUIET)
        return map_of(heap, player)


def owners(heap: HeapMap, group: Callable[[np.ndarray], np.ndarray]) -> dict[str, Owner]:
    """Return the owners A and B; `group` returns False (A) or True (B) for each object id."""
    labels = labels_of(["A", "B"], group(heap.number).astype(np.int64))
    return {owner.name: owner for owner in owners_by(heap, share_out(heap), labels)}


def test_objects_of_thinly_used_spans_pin_their_free_bytes() -> None:
    heap = mapped("tcmalloc", every_eighth(), startup="none")
    assert parts_of(heap, share_out(heap)) == {
        "live": 10_000,
        "rounding": 240,
        "pinned": 71_680,
        "free_spans": 966_656,
        "metadata": 2_490_368,
    }
    found = owners(heap, lambda number: number >= 40)
    assert heap.footprint == 3_538_944
    assert [found[name].pinned for name in "AB"] == [35_840, 35_840]


def test_objects_of_a_chunk_pin_its_objects_that_were_never_used() -> None:
    heap = mapped("go2008", every_eighth())
    assert unowned(heap, share_out(heap)) == {"metadata": 1_310_720}
    found = owners(heap, lambda number: number >= 40)
    assert heap.footprint == 2_359_296
    assert [found[name].pinned for name in "AB"] == [519_168, 519_168]


@pytest.mark.slow
def test_owners_of_different_density_own_the_same_number_of_spans() -> None:
    count = 500 if PURE else 100_000
    heap = mapped("tcmalloc", two_owners(count))
    found = owners(heap, lambda number: number >= count)
    spans = -(-count // 39)  # a span of 8 KiB has 39 objects of 208 bytes
    for name in "AB":
        assert found[name].owned == pytest.approx(spans * 8192, abs=2 * 8192)
    assert (found["A"].live, found["B"].live) == (count // 20 * 200, count // 2 * 200)


def test_objects_of_one_span_share_its_free_bytes_equally() -> None:
    found = owners(mapped("tcmalloc", half_of_eight(), startup="none"), lambda number: number > 0)
    assert [(found[name].live, found[name].pinned) for name in "AB"] == [
        (1000, 1024),
        (3000, 3072),
    ]
    assert [(found[name].only, found[name].some) for name in "AB"] == [(0, 8192), (0, 8192)]


@pytest.mark.parametrize("design", ["go2008", "tcmalloc", "go", "glibc"])
def test_owners_of_every_grouping_and_unowned_bytes_sum_to_the_footprint(design: str) -> None:
    events = stream_of(random_calls(7, 150, threads=3))
    for at in (0, 150):
        heap = mapped(design, events, at)
        shares, lives = (
            share_out(heap),
            read_lives(trace_of(events), at, int(heap.number.max(initial=-1)) + 1),
        )
        assert sum(parts_of(heap, shares).values()) == heap.footprint
        for by in MAKERS:
            rows = owners_by(heap, shares, label(by, heap, lives))  # checks the sums
            assert sum(row.objects for row in rows) == len(heap.number)
            for row in rows:
                assert row.only <= row.owned <= row.some
