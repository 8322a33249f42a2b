"""Limits and baselines: the finding of a check says by how much a limit is exceeded."""

import statistics

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
        (
            FOOTPRINT,
            100 * MIB - 4096,
            False,
            "peak footprint 100.000 MiB, --o 99.996 MiB: exceeded by 4.0 KiB (0.004%)",
        ),
        (FRAGMENTATION, 0.4999, False, "50.00%, --o 49.99%: exceeded by 0.01 percentage points"),
        (
            TIME,
            19.99,
            False,
            "time 20.00 ns/event, --o 19.99 ns/event: exceeded by 0.01 ns/event (0.1%)",
        ),
    ],
)
def test_limit_holds_up_to_its_bound(figure: Figure, bound: float, holds: bool, text: str) -> None:
    found = check_limit(BASE, "--o", figure, bound)
    assert found.holds == holds
    assert found.text.endswith(text)


def timed(*runs: float) -> SubjectFigures:
    """Return figures whose time is the median of these runs."""
    return SubjectFigures("x", MIB, MIB, 0.5, statistics.median(runs), runs=runs)


TIMES = {
    "every run is within": ((18.0, 19.0, 20.0), True, "--max-ns 20.0 ns/event"),
    "every run is beyond": ((21.0, 21.2, 21.4), False, "exceeded by 1.2 ns/event (6.0%)"),
    "beyond, with a wide spread": ((30.0, 40.0, 60.0), False, "exceeded by 20.0 ns/event (100.0%)"),
    "some runs are beyond": ((19.0, 19.5, 20.5), True, "--max-ns 20.0 ns/event"),
    "most runs are beyond": ((19.5, 20.5, 21.0), True, "within the spread of the runs"),
    "too far apart, below": ((15.0, 19.0, 29.0), False, "vary too much to tell (spread 73.7%)"),
    "too far apart, above": ((15.0, 22.0, 29.0), False, "vary too much to tell (spread 63.6%)"),
    "one run": ((20.1,), False, "exceeded by 0.1 ns/event"),
}
"""Times of runs, and whether they pass a limit of 20 ns/event."""


@pytest.mark.parametrize(("runs", "holds", "text"), TIMES.values(), ids=TIMES)
def test_limit_of_time_respects_the_spread(runs: tuple[float, ...], holds: bool, text: str) -> None:
    found = check_limit(timed(*runs), "--max-ns", TIME, 20.0)
    assert (found.holds, text in found.text) == (holds, True), found.text
    assert (found.spread is None) == (len(runs) == 1)


REGRESSIONS = {
    "same": ((20.0, 20.2, 20.4), (20.0, 20.2, 20.4), True, "(spread 2.0%) -> 20.2 ns/event"),
    "slower": ((20.0, 20.2, 20.4), (22.0, 22.2, 22.4), False, "tolerance of 3.0%, by 1.4 ns"),
    "slower within the spread": ((20.0, 21.0, 22.0), (21.0, 21.9, 22.5), True, "but within"),
    "baseline too far apart": ((15.0, 20.0, 25.0), (20.5, 20.6, 20.7), False, "too much to tell"),
    "result too far apart": ((20.0, 20.1, 20.2), (15.0, 20.0, 25.0), False, "too much to tell"),
}


@pytest.mark.parametrize(("old", "new", "holds", "text"), REGRESSIONS.values(), ids=REGRESSIONS)
def test_regression_of_time_respects_both_spreads(
    old: tuple[float, ...], new: tuple[float, ...], holds: bool, text: str
) -> None:
    *_, found = check_baseline([timed(*old)], [timed(*new)], STRICT)
    assert (found.holds, text in found.text) == (holds, True), found.text


def test_tolerance_of_a_negative_figure_is_above_it() -> None:
    """The RSS of a process can shrink."""
    before = SubjectFigures("x", MIB, -100.0, 0.5)
    for end, holds in ((-100.0, True), (-97.0, True), (-96.0, False)):
        after = SubjectFigures("x", MIB, end, 0.5)
        assert check_baseline([before], [after], STRICT)[1].holds == holds


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
    assert "is in the baseline but was not measured; add it to --on" in gone[0].text
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


@pytest.mark.parametrize(("subject", "names_option"), [("tcmalloc", True), ("lib:glibc", False)])
def test_time_that_a_design_lacks_names_the_option(subject: str, names_option: bool) -> None:
    found = check_limit(SubjectFigures(subject, MIB, MIB, 0.5), "--max-ns", TIME, 10.0)
    assert not found.holds
    assert ("--threads one" in found.text) == names_option
