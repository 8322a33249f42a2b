"""The design go gives the same addresses and the same state as the real Go runtime.

Tests that run the real runtime are skipped if Go is not installed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.core.jit import PURE
from allocsim.errors import EnvironmentLacks
from tests.equality.go_equality import GoEquality, compare_with_go
from tests.equality.go_runtime import COLUMNS, MODELLED, Build, Recording, checkpoints
from tests.equality.go_workloads import memory_limit, random_cases, workloads


def compared(events: Any, mode: dict[str, int]) -> GoEquality:
    """Compare, or skip if Go is not installed."""
    try:
        return compare_with_go(events, 500, mode)
    except EnvironmentLacks as missing:
        pytest.skip(str(missing))


MODES = [
    {"GOGC": -1, "collect": 300, "scavenger": 50},
    {"GOGC": 50},
    {"GOGC": 50, "scavenger": 0},
]
"""Modes in which each workload is compared."""


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("name", ["churn to 128 KiB", "tiny only", "reallocs"])
def test_design_places_objects_where_go_does(name: str, mode: dict[str, int]) -> None:
    events = workloads(2 if PURE else 20)[name]()
    found = compared(events, mode)
    assert found.first_difference() == ""
    assert found.equal == len(found.rows) == len(checkpoints(len(events), 500))
    assert found.equal_addresses == found.allocations > len(events) // 3
    assert found.collections >= (len(events) // 300 if "collect" in mode else 0)


@pytest.mark.parametrize(("name", "scale"), [("churn to 2 MiB", 20), ("churn to 128 KiB", 40)])
def test_memory_limit_collects_when_go_does(name: str, scale: int) -> None:
    events = workloads(2 if PURE else scale)[name]()
    found = compared(events, {"GOGC": -1, "GOMEMLIMIT": memory_limit(events)})
    # The case of 40,000 events fails if the runtime maps memory of its own while it marks.
    assert found.first_difference() == ""
    assert found.equal_addresses == found.allocations
    assert found.collections > 0


def test_memory_limit_is_above_the_peak() -> None:
    sizes = [(0, 8 << 20), (1, 4 << 20), (0, -1), (1, 1 << 20), (2, 3 << 20)]
    assert memory_limit(np.array(sizes)) == (12 * 5 // 4 + 12) << 20


def test_boundary_sizes_have_the_addresses_of_go() -> None:
    for name, events, mode in random_cases(2 if PURE else 10):
        assert compared(events[:2000], mode).first_difference() == "", name


def equality(addresses: list[int], cache: int) -> GoEquality:
    """Return a comparison of three events and one checkpoint with the given results."""
    rows = np.zeros((1, len(COLUMNS)), np.int64)
    start = dict.fromkeys(COLUMNS, 0)
    real = Recording(
        np.zeros((0, 20), np.int64), start, np.array([0, 16, -1]), np.zeros((3, 4), np.int64),
        np.array([3]), rows, (0, 0), (0, 0),
    )  # fmt: skip
    found = rows.copy()
    found[0, COLUMNS.index("cache")] = cache
    return GoEquality(real, np.array(addresses), found)


@pytest.mark.parametrize(
    ("addresses", "cache", "sentence"),
    [
        ([0, 16, -1], 0, ""),
        ([0, 32, -1], 5, "event 2: Go places the object at 0x10, the design at 0x20"),
        ([0, 16, -1], 5, "after 3 events: cache: Go 0, design 5"),
    ],
)
def test_first_difference_is_described(addresses: list[int], cache: int, sentence: str) -> None:
    found = equality(addresses, cache)
    assert found.first_difference() == sentence
    assert (found.allocations, found.equal) == (2, int(cache == 0))


def test_go_that_fails_is_not_taken_for_a_missing_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """scripts/verify-go skips what it cannot compare only if Go is missing."""
    (tmp_path / "VERSION").write_text(f"{MODELLED}.3")
    failing = tmp_path / "bin/go"
    failing.parent.mkdir()
    failing.write_text("#!/bin/sh\necho undefined: mheap_ >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setenv("ALLOCSIM_GOROOT", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(RuntimeError, match=r"^go build failed: undefined: mheap_$"):
        Build().binary()
