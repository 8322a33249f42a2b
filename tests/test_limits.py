"""Limits: each that was asked for is looked at, and says by how much it fails."""

import pytest

from allocsim.limits import (
    FOOTPRINT,
    FRAGMENTATION,
    TIME,
    Figure,
    Tolerance,
    hold_against,
    hold_to,
)
from allocsim.saved_results import Standing

MIB = 1 << 20
BASE = Standing("x", 100.0 * MIB, 50.0 * MIB, 0.5, 20.0)
STRICT = Tolerance(0.03, 0.03)


@pytest.mark.parametrize(
    ("figure", "bound", "holds", "text"),
    [
        (FOOTPRINT, 100 * MIB, True, "footprint at the peak 100.0 MiB, --o 100.0 MiB"),
        (FOOTPRINT, 80 * MIB, False, "--o 80.0 MiB: over by 20.0 MiB (25.0%)"),
        (FOOTPRINT, 0, False, "--o 0 B: over by 100.0 MiB"),
        (FRAGMENTATION, 0.5, True, "fragmentation at the peak 50.00%, --o 50.00%"),
        (FRAGMENTATION, 0.25, False, "50.00%, --o 25.00%: over by 25.00 points"),
        (TIME, 16.0, False, "time an event 20.0 ns, --o 16.0 ns: over by 4.0 ns (25.0%)"),
    ],
)
def test_limit_holds_up_to_its_bound(figure: Figure, bound: float, holds: bool, text: str) -> None:
    found = hold_to(BASE, "--o", figure, bound)
    assert found.holds == holds
    assert found.text.endswith(text)


def test_figure_that_is_not_known_does_not_hold() -> None:
    found = hold_to(Standing("x", failure="crashed"), "--max-ns", TIME, 30.0)
    assert not found.holds
    assert found.text == "time an event is not known: crashed"


def test_result_may_be_worse_by_the_tolerance_and_no_more() -> None:
    later = Standing("x", 103.0 * MIB, 40.0 * MIB, 0.5, 20.7)
    footprint, end, time = hold_against([BASE], [later], STRICT)
    assert (footprint.holds, end.holds, time.holds) == (True, True, False)
    assert "20.0 ns -> 20.7 ns (+3.5%): worse by more than 3.0%" in time.text
    assert all(found.holds for found in hold_against([BASE], [later], Tolerance(0.03, 0.1)))


def test_subject_that_is_gone_or_failed_does_not_hold() -> None:
    gone = hold_against([BASE], [Standing("y", 1.0, 1.0, 0.0, 1.0)], STRICT)
    assert [found.holds for found in gone] == [False] * 3
    assert "it is not there" in gone[0].text
    failed = hold_against([BASE], [Standing("x", failure="hung")], STRICT)
    assert "hung" in failed[0].text


def test_subject_that_is_new_or_had_failed_before_is_not_held() -> None:
    assert hold_against([Standing("x", failure="hung")], [BASE], STRICT) == []
    assert hold_against([], [BASE], STRICT) == []


def test_nothing_that_becomes_something_is_worse() -> None:
    before = Standing("x", 0.0, 0.0, 0.0, 0.0)
    found = hold_against([before], [BASE], STRICT)
    assert [each.holds for each in found] == [False] * 3
    assert all(each.holds for each in hold_against([before], [before], STRICT))
