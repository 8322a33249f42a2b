"""Limits and baselines: each check gives a finding that says by how much it fails."""

import pytest

from allocsim.limits import (
    FOOTPRINT,
    FRAGMENTATION,
    TIME,
    Figure,
    Tolerance,
    check_baseline,
    check_limit,
)
from allocsim.saved_results import SubjectFigures

MIB = 1 << 20
BASE = SubjectFigures("x", 100.0 * MIB, 50.0 * MIB, 0.5, 20.0)
STRICT = Tolerance(0.03, 0.03)


@pytest.mark.parametrize(
    ("figure", "bound", "holds", "text"),
    [
        (FOOTPRINT, 100 * MIB, True, "peak footprint 100.0 MiB, --o 100.0 MiB"),
        (FOOTPRINT, 80 * MIB, False, "--o 80.0 MiB: exceeded by 20.0 MiB (25.0%)"),
        (FOOTPRINT, 0, False, "--o 0 B: exceeded by 100.0 MiB"),
        (FRAGMENTATION, 0.5, True, "fragmentation at the peak 50.0%, --o 50.0%"),
        (FRAGMENTATION, 0.25, False, "50.0%, --o 25.0%: exceeded by 25.00 percentage points"),
        (
            TIME,
            16.0,
            False,
            "--o 16.0 ns/event: exceeded by 4.0 ns/event (25.0%)",
        ),
    ],
)
def test_limit_holds_up_to_its_bound(figure: Figure, bound: float, holds: bool, text: str) -> None:
    found = check_limit(BASE, "--o", figure, bound)
    assert found.holds == holds
    assert found.text.endswith(text)


def test_unknown_figure_fails_its_limit() -> None:
    found = check_limit(SubjectFigures("x", failure="crashed"), "--max-ns", TIME, 30.0)
    assert not found.holds
    assert found.text == "time is unknown: crashed"


def test_regression_up_to_the_tolerance_is_allowed() -> None:
    later = SubjectFigures("x", 103.0 * MIB, 40.0 * MIB, 0.5, 20.7)
    footprint, end, time = check_baseline([BASE], [later], STRICT)
    assert (footprint.holds, end.holds, time.holds) == (True, True, False)
    assert (
        "20.0 ns/event -> 20.7 ns/event (+3.5%): regression beyond the tolerance of 3.0%"
        in time.text
    )
    assert all(found.holds for found in check_baseline([BASE], [later], Tolerance(0.03, 0.1)))


def test_missing_or_failed_subject_fails() -> None:
    gone = check_baseline([BASE], [SubjectFigures("y", 1.0, 1.0, 0.0, 1.0)], STRICT)
    assert [found.holds for found in gone] == [False] * 3
    assert "the subject is missing" in gone[0].text
    failed = check_baseline([BASE], [SubjectFigures("x", failure="hung")], STRICT)
    assert "hung" in failed[0].text


def test_subject_without_baseline_figures_is_not_checked() -> None:
    assert check_baseline([SubjectFigures("x", failure="hung")], [BASE], STRICT) == []
    assert check_baseline([], [BASE], STRICT) == []


def test_figure_that_was_0_and_is_not_is_a_regression() -> None:
    before = SubjectFigures("x", 0.0, 0.0, 0.0, 0.0)
    found = check_baseline([before], [BASE], STRICT)
    assert [each.holds for each in found] == [False] * 3
    assert all(each.holds for each in check_baseline([before], [before], STRICT))
