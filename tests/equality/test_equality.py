"""The counters of tcmalloc and of its design are equal, and a difference is described."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.core.jit import PURE
from allocsim.errors import EnvironmentLacks
from tests.equality import workloads as made
from tests.equality.checkpoints import COUNTERS, ROW, slices
from tests.equality.equality import Equality, compare_with_library, require_modelled_library
from tests.libraries.children import require_modelled_tcmalloc

MEDIUM = made.log_uniform(4 << 20, 1 << 14)


def concatenated(*workloads: made.Workload) -> Any:
    """Concatenate workloads, each with object ids of its own."""
    parts, first = [], 0
    for workload in workloads:
        events = workload.events()
        events.object += first
        first = int(events.object.max()) + 1
        parts.append(events)
    return np.concatenate(parts).view(np.recarray)


def everything() -> Any:
    """Every kind of workload, short, on one thread."""
    return concatenated(
        made.churn(3000, 1000, made.log_uniform(1 << 20), 3),
        made.phases(4, 4),
        made.reallocs(3000, 6),
        made.aligned(3000, 7),
        made.requested_releases(3000, 9),
        made.forced_coalescing(10),
    )


def much_freed() -> Any:
    """Free more than 2 GiB, so that releases start; then force coalescing."""
    return concatenated(made.churn(8000, 120, MEDIUM, 8), made.forced_coalescing(10))


def threads() -> Any:
    """Threads whose caches steal from each other, and threads that end and start again."""
    return concatenated(made.stealing(3000, 14), made.queue_between_threads(11_000, 12))


def sizes() -> Any:
    """Small and large objects on one thread."""
    return made.churn(6000, 1500, made.log_uniform(1 << 20), 3).events()


def few() -> Any:
    """Few enough events for pure Python."""
    return made.churn(200, 50, made.log_uniform(1 << 19), 5, threads=2).events()


CASES: dict[str, tuple[Callable[[], Any], dict[str, int]]] = {
    "everything": (everything, {}),
    "threads, small limit": (threads, {"max_total_thread_cache_bytes": 1 << 20}),
    "batches of 8": (sizes, {"transfer_num_obj": 8}),
    "release rate 10": (much_freed, {"release_rate": 10}),
    "aggressive decommit": (much_freed, {"aggressive_decommit": 1}),
}


@cache
def compared(make: Callable[[], Any], every: int, *parameters: tuple[str, int]) -> Equality:
    """Return a comparison; it is made at the first call."""
    require_modelled_tcmalloc()
    return compare_with_library(make(), every, **dict(parameters))


def assert_equal(found: Equality, events: int, every: int) -> None:
    """Check that library and design are equal at every expected checkpoint."""
    assert found.first_difference() == ""
    assert found.equal == found.checkpoints == len(slices(events, every)) > 2
    assert found.real["event"].tolist() == [stop for _, stop in slices(events, every)]
    heap = found.real["generic.heap_size"]
    assert (heap >= 1 << 20).all()
    assert found.real["places"].any()


@pytest.mark.skipif(PURE, reason="too slow in pure Python")
@pytest.mark.parametrize(("make", "parameters"), CASES.values(), ids=CASES)
def test_design_has_the_counters_of_the_library(
    make: Callable[[], Any], parameters: dict[str, int]
) -> None:
    found = compared(make, 500, *parameters.items())
    assert_equal(found, len(make()), 500)


def test_few_events_count_the_same() -> None:
    assert_equal(compared(few, 50), 200, 50)


def test_difference_of_a_parameter_is_described() -> None:
    real, other = compared(few, 50), compared(few, 50, ("transfer_num_obj", 8))
    assert other.first_difference() == ""  # library and design agree
    found = Equality(real.real, other.simulated)
    assert found.equal < found.checkpoints
    text = found.first_difference()
    assert text.startswith("after ")
    assert " events: " in text
    assert any(f"{name}: library " in text for name in COUNTERS)


def rows(*heaps: int) -> np.ndarray:
    """Return checkpoints that differ only in the size of the heap."""
    found = np.zeros(len(heaps), ROW)
    found["event"] = range(1000, 1000 * len(heaps) + 1, 1000)
    found["generic.heap_size"] = heaps
    return found


def test_first_difference_names_the_counter_and_both_numbers() -> None:
    found = Equality(rows(5, 1_000_000, 7), rows(5, 2_000_000, 8))
    assert (found.equal, found.checkpoints) == (1, 3)
    assert found.first_difference() == (
        "after 2,000 events: generic.heap_size: library 1,000,000, design 2,000,000"
    )


def test_places_of_objects_are_compared_too() -> None:
    real, simulated = rows(5), rows(5)
    simulated["places"] = 3
    assert Equality(real, simulated).first_difference() == (
        "after 1,000 events: places: library 0, design 3"
    )


@pytest.mark.parametrize(
    ("length", "every", "stops"),
    [(1, 10, [1]), (10, 10, [1, 10]), (25, 10, [1, 10, 20, 25]), (3, 1, [1, 2, 3])],
)
def test_checkpoints_are_after_the_first_event_then_evenly_and_at_the_end(
    length: int, every: int, stops: list[int]
) -> None:
    found = slices(length, every)
    assert [stop for _, stop in found] == stops
    assert [start for start, _ in found] == [0, *stops][: len(stops)]


def test_failing_child_is_reported_by_its_last_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho one >&2\necho library not found >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.raises(EnvironmentLacks, match=r"^tcmalloc: library not found$"):
        compare_with_library(few(), 10)


@pytest.mark.parametrize(
    "installed", ["gperftools 2.16, /lib/x.so", "not installed; Debian's package is y"]
)
def test_library_of_another_version_is_an_error(
    monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    monkeypatch.setattr(
        "tests.equality.equality.describe_libraries", lambda: {"tcmalloc": installed}
    )
    with pytest.raises(
        EnvironmentLacks, match=r"models gperftools 2\.10; installed: " + installed[:9]
    ):
        require_modelled_library()
