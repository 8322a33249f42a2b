"""Owners of the memory of real libraries, in workloads whose figures can be calculated by hand."""

import os
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark.answer import MAX_SETS, new_answer, write_arrays
from allocsim.benchmark.comparison import Conditions
from allocsim.benchmark.event_file import write_events
from allocsim.benchmark.pages import Pages
from allocsim.core.memory import OS_PAGE
from allocsim.driver import Touch
from allocsim.errors import Corruption, EnvironmentLacks, LimitExceeded
from allocsim.events import EVENT, Trace, no_events
from allocsim.explanation.on_library import ROOM_FOR_EACH, OnLibrary, moments_of, read_checked
from allocsim.explanation.owners import Owner, owners_by, parts_of
from allocsim.explanation.shares import share_out
from allocsim.explanation.variants import variant
from allocsim.libraries.find import find_library
from tests.driving import random_calls, stream_of
from tests.explanation.patterns import every_twentieth, labels_of, two_owners
from tests.playing import trace_of

COUNT = 100_000
"""Objects of each owner."""

OF_PYTHON = 16 << 10
"""Bytes that Python, which uses the same heap, may take from lib:glibc during a replay."""

libraries = pytest.mark.parametrize("library", ["glibc", "jemalloc", "tcmalloc", "mimalloc"])


def on(library: str, events: Any) -> OnLibrary:
    """Return a library as a subject; skip the test if it is not installed."""
    if find_library(library) is None:
        pytest.skip(f"{library} is not installed")
    conditions = Conditions(touch=Touch.PAGE, timeout=120)
    return OnLibrary(f"lib:{library}", lambda: trace_of(events), conditions)


def owners(subject: OnLibrary, event: int) -> tuple[dict[str, Owner], dict[str, int]]:
    """Return the owners A and B of `two_owners`, and the parts of the footprint."""
    heap = subject.map_at(event)
    shares = share_out(heap)
    labels = labels_of(["A", "B"], (heap.number >= COUNT).astype(np.int64))
    found = {owner.name: owner for owner in owners_by(heap, shares, labels)}
    return found, parts_of(heap, shares)


@pytest.mark.compiled
@pytest.mark.parametrize(("library", "room"), [("glibc", 208), ("tcmalloc", 210)])
def test_few_objects_that_stay_own_all_pages_that_they_are_on(library: str, room: int) -> None:
    events = two_owners(COUNT)
    found, parts = owners(on(library, events), len(events))
    for name in "AB":
        assert found[name].owned == pytest.approx(COUNT * room, rel=0.01, abs=2 * OS_PAGE)
    assert (found["A"].live, found["B"].live) == (COUNT // 20 * 200, COUNT // 2 * 200)
    assert parts.get("empty", 0) <= 256 << 10


@pytest.mark.compiled
def test_every_twentieth_object_of_200_bytes_owns_the_whole_heap_of_glibc() -> None:
    events = every_twentieth(2 * COUNT)
    heap = on("glibc", events).map_at(len(events))
    parts = parts_of(heap, share_out(heap))
    held = sum(parts.get(name, 0) for name in ("live", "rounding", "pinned"))
    assert held == pytest.approx(2 * COUNT * 208, abs=2 * OS_PAGE)
    assert heap.footprint - held - parts.get("start", 0) <= OF_PYTHON


@pytest.mark.compiled
def test_slabs_of_jemalloc_hold_more_than_the_pages_that_objects_are_on() -> None:
    events = two_owners(COUNT)
    found, _ = owners(on("jemalloc", events), len(events))
    slabs = [found[name].slabs for name in "AB"]
    # The size class of 200 bytes is 224.
    assert slabs == pytest.approx([COUNT * 224, COUNT * 224], rel=0.06)
    assert found["A"].owned < (found["A"].slabs or 0)


@pytest.mark.slow
@libraries
def test_scanned_pages_are_the_measured_growth_to_the_byte(library: str) -> None:
    subject = on(library, stream_of(random_calls(3, 400)))
    heap = subject.map_at(200)
    assert sum(parts_of(heap, share_out(heap)).values()) == heap.footprint
    assert not any("measured growth" in caution for caution in subject.cautions)


@pytest.mark.compiled
def test_freed_objects_give_their_pages_back_in_a_copy_of_the_process() -> None:
    events = two_owners(2_000)
    subject = on("glibc", events)
    before = subject.map_at(len(events))
    sets = [np.zeros(0, np.int64), before.number[before.number >= 2_000], before.number]
    as_it_is, half, nothing = (left for _, left in subject.after_release(len(events), sets))
    assert as_it_is > half + 300_000 > nothing + 600_000
    assert as_it_is == pytest.approx(before.footprint, abs=100 * OS_PAGE)


@pytest.mark.slow
def test_more_experiments_than_a_process_makes_are_made_in_several() -> None:
    subject = on("glibc", two_owners(20))
    sets = [np.zeros(0, np.int64)] * (MAX_SETS + 1)
    assert len(subject.after_release(40, sets)) == MAX_SETS + 1


@pytest.mark.compiled
def test_workload_is_read_once_for_all_replays_of_it() -> None:
    events, opened = two_owners(200), list[int]()

    def open_trace() -> Trace:
        """Open the workload, and count the call."""
        opened.append(1)
        return trace_of(events)

    subject = replace(on("glibc", events), open_trace=open_trace)
    end = subject.moments()[3]
    assert subject.map_at(100).event == 100
    assert subject.footprint_at(len(events)) == pytest.approx(end.footprint, abs=16 * OS_PAGE)
    assert subject.footprint_at(0) < subject.footprint_at(len(events))
    assert len(opened) == 1


def test_replays_run_side_by_side_only_while_memory_suffices_easily() -> None:
    found = pages(points=[(1, 8, 1 << 20)]), list[np.ndarray]()
    for available, count in ((0, 1), (ROOM_FOR_EACH << 20, 1), (1 << 40, os.cpu_count() or 1)):
        conditions = Conditions(available=lambda room=available: room)  # type: ignore[misc]
        events = write_events(trace_of(two_owners(4)))
        subject = OnLibrary(
            "lib:glibc", partial(trace_of, no_events()), conditions, _last=found, _events=events
        )
        assert 1 <= subject.side_by_side() <= count
        events.close()


def test_replays_side_by_side_share_the_memory() -> None:
    conditions = Conditions(available=lambda: 1000, limit=7)
    shared = OnLibrary("lib:glibc", partial(trace_of, two_owners(4)), conditions).sharing(4)
    assert (shared.conditions.available(), shared.conditions.limit) == (250, 7)


def test_events_of_a_variant_may_take_half_of_the_shared_memory() -> None:
    conditions = Conditions(available=lambda: 8 * EVENT.itemsize)
    subject = OnLibrary("lib:glibc", partial(trace_of, two_owners(4)), conditions)
    whole = variant(trace_of(two_owners(4)), 8, lambda calls, *_: calls.request > 0, kept=True)
    with pytest.raises(EnvironmentLacks, match="more than half of the available memory"):
        subject.sharing(2).footprint_of(whole)


def test_caution_is_added_once() -> None:
    last = pages(points=[(4, 8, 0)], is_exact=False, has_usable=False), ANSWER
    subject = OnLibrary("lib:glibc", partial(trace_of, two_owners(4)), _last=last)
    for _ in range(2):
        subject.map_at(4)
    assert len(subject.cautions) == len({*subject.cautions}) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "error"), [(1 << 10, LimitExceeded), (1 << 30, None)])
def test_footprint_above_the_limit_fails_the_check(
    limit: int, error: type[Exception] | None
) -> None:
    subject = on("glibc", two_owners(20))
    subject.conditions = replace(subject.conditions, limit=limit)
    with pytest.raises(error, match="lib:glibc: ") if error else nullcontext():
        subject.moments()


def test_missing_library_is_an_error() -> None:
    subject = OnLibrary("lib:/no/such.so", partial(trace_of, two_owners(4)))
    with pytest.raises(EnvironmentLacks, match="no such library"):
        subject.moments()


def pages(**changed: Any) -> Pages:
    """Return a child's answer with the given fields."""
    given: dict[str, Any] = {
        "points": [], "last_allocation": 0, "growth": 0, "lost": 0, "objects": 0, "pages": 0,
        "is_exact": True, "has_usable": True, "has_slabs": False, "release": None, "left": [],
    }  # fmt: skip
    return Pages(**given | changed)


def test_moments_are_those_of_the_points() -> None:
    points = [(10, 50, 60), (20, 90, 95), (30, 40, 97), (40, 10, 70), (50, 0, 70)]
    found = {each.name: each.event for each in moments_of(pages(points=points, last_allocation=35))}
    assert found == {"peak": 30, "live-peak": 20, "worst": 30, "end": 50, "mean": None}
    points[-1] = (50, 9, 70)
    found = {each.name: each.event for each in moments_of(pages(points=points, last_allocation=35))}
    assert found["worst"] == 50
    assert [each.event for each in moments_of(pages())] == [0, 0, 0, 0]


ANSWER = [
    np.array(each) for each in ([0, 3], [64, 128], [10, 20], [16, 32], [0, 99], [7, 8], [0, 1])
]
"""The arrays that a child sends for two objects and two pages.

Of the objects: ids, addresses, requested bytes, usable bytes, shares of slabs. Of the pages: page
numbers, and whether the page belongs to the startup state."""


def checked(arrays: list[np.ndarray], objects: int, count: int) -> None:
    """Write the arrays as a child does, and read them."""
    descriptor = new_answer()
    try:
        write_arrays(descriptor, arrays)
        read_checked(descriptor, pages(objects=objects, pages=count), 4)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("column", "value"),
    [(0, 1 << 31), (0, -1), (2, -1), (3, 1), (3, 1 << 50), (4, -1), (5, 9), (6, 2)],
)
def test_answer_that_a_library_may_have_forged_is_refused(column: int, value: int) -> None:
    checked(ANSWER, 2, 2)
    forged = [array.copy() for array in ANSWER]
    forged[column][0 if column in (0, 5) and value < 99 else 1] = value
    with pytest.raises(Corruption, match="impossible"):
        checked(forged, 2, 2)


@pytest.mark.parametrize(("objects", "count"), [(5, 2), (-1, 2), (2, -1), (2, 1 << 60)])
def test_impossible_counts_are_refused(objects: int, count: int) -> None:
    with pytest.raises(Corruption, match="impossible counts"):
        checked(ANSWER, objects, count)


def test_subject_of_one_of_several_replays_keeps_the_name_of_the_release() -> None:
    subject = OnLibrary("lib:glibc", lambda: trace_of([]))
    subject.release = "malloc_trim(0)"
    assert subject.sharing(2).release == "malloc_trim(0)"
