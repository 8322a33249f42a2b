"""Snapshots of a heap, compared with the map of the heap at the same moment."""

import os
import random
from functools import partial
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark.answer import new_answer, write_arrays
from allocsim.benchmark.comparison import Conditions
from allocsim.benchmark.occupancy import REGION, occupancy
from allocsim.benchmark.snapshots import HEADER
from allocsim.errors import Corruption
from allocsim.explanation.on_design import OnDesign
from allocsim.explanation.owners import parts_of
from allocsim.explanation.shares import share_out
from allocsim.explanation.snapshots import read_snapshots, snapshot_events, snapshot_of
from tests.conftest import RESERVE
from tests.driving import random_calls, stream_of
from tests.explanation.patterns import two_owners
from tests.explanation.test_on_library import on
from tests.playing import trace_of


@pytest.mark.parametrize("design", ["go2008", "tcmalloc", "go", "glibc"])
def test_parts_of_a_snapshot_are_those_of_the_map(design: str) -> None:
    events, conditions = stream_of(random_calls(5, 60)), Conditions(reserve=RESERVE)
    subject = OnDesign(design, partial(trace_of, events), conditions)
    moments = [30, 31, 60]
    for event, snapshot in zip(moments, subject.snapshots(moments), strict=True):
        heap = subject.map_at(event)
        assert snapshot.event == event
        assert snapshot.parts == parts_of(heap, share_out(heap))
        assert snapshot.footprint == heap.footprint
        assert snapshot.regions[:, 1].sum() == heap.unit_length.sum()
        assert snapshot.regions[:, 2].sum() == snapshot_of(heap).regions[:, 2].sum()


@pytest.mark.slow
@pytest.mark.parametrize("library", ["glibc", "jemalloc"])
def test_snapshots_of_a_library_have_all_live_bytes_and_all_pages(library: str) -> None:
    events = two_owners(400)
    for snapshot in on(library, events).snapshots([800, len(events)]):
        # 800 objects of 200 bytes are allocated. In the end, 20 + 200 of them are live.
        live = 160_000 if snapshot.event == 800 else 44_000
        assert snapshot.parts["live"] == live
        assert snapshot.parts.get("pinned", 0) > 8 * (160_000 - live) // 10
        assert snapshot.footprint == snapshot.regions[:, 1].sum()
        assert snapshot.regions[:, 2].sum() == live + snapshot.parts.get("rounding", 0)


def test_regions_have_the_bytes_that_a_byte_by_byte_count_finds() -> None:
    draw = random.Random(20_261)
    edges = sorted(draw.sample(range(4 * REGION), 40))
    units = [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True)]
    objects = [(begin + (end - begin) // 3, end - (end - begin) // 3) for begin, end in units[::3]]
    address, end = np.array(objects).T
    start, stop = np.array(units).T
    found = occupancy(
        (address, (end - address) // 2, end - address),
        (start, stop - start, np.arange(len(units)) % 2),
        2,
    )
    memory, used = np.zeros(4 * REGION, np.bool_), np.zeros(4 * REGION, np.bool_)
    for first, last in units:
        memory[first:last] = True
    for first, last in objects:
        used[first:last] = True
    rows = [
        [number, *(int(flags[number * REGION : (number + 1) * REGION].sum()) for flags in columns)]
        for columns in [(memory, used)]
        for number in range(4)
    ]
    assert found.regions.tolist() == [row for row in rows if row[1]]
    assert found.unheld.sum() + found.held[:3].sum() == memory.sum()


def test_a_heap_without_objects_has_only_parts_of_units() -> None:
    nothing = np.zeros(0, np.int64)
    found = occupancy(
        (nothing, nothing, nothing), (np.array([8]), np.array([100]), np.array([1])), 2
    )
    assert found.held.tolist() == [0, 0, 0, 0]
    assert found.unheld.tolist() == [0, 100]


def test_snapshots_are_spaced_evenly_and_include_the_moment() -> None:
    assert snapshot_events(0, 0) == []
    assert snapshot_events(3, 2) == [1, 2, 3]
    moments = snapshot_events(6_000, 123)
    assert len(moments) == 61
    assert {100, 123, 6_000} <= {*moments}


VALID = [1, 10, 6, 0, 0, 16, 0, 5, 32, 16]
"""A snapshot with one region: the header, then the region."""


def read(numbers: list[int]) -> Any:
    """Write integers as the child process does, and read a snapshot from them."""
    descriptor = new_answer()
    try:
        write_arrays(descriptor, [np.array(numbers)])
        return read_snapshots(descriptor, [7], ("empty", "start"), 100)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("column", "value"),
    [(0, -1), (0, 101), (1, -1), (6, 1 << 50), (7, -1), (7, 1 << 50), (8, REGION + 1), (9, 33)],
)
def test_a_snapshot_that_a_library_may_have_forged_is_refused(column: int, value: int) -> None:
    assert len(VALID) == HEADER + 3
    (snapshot,) = read(VALID)
    assert snapshot.parts == {"live": 10, "rounding": 6, "empty": 16}
    with pytest.raises(Corruption, match="measuring process"):
        read([value if index == column else each for index, each in enumerate(VALID)])
