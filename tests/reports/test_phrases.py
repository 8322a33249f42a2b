"""Sentences and small marks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.reports import Result
from allocsim.reports.phrases import bar, headline, percent, proved, sparkline, verdict

COUNTS = st.integers(0, 1 << 50)


def test_headline_says_what_was_played_on_what(result: Result) -> None:
    assert headline(result).startswith("random on go2008: 120 events, ")
    assert headline(result).endswith(" ns an event")


def test_verdict_compares_footprint_and_live_bytes(result: Result) -> None:
    profile = replace(
        result.profile,
        peak_live=1 << 20,
        at_peak=replace(
            result.profile.at_peak,
            footprint=3 << 20,
            parts=result.profile.at_peak.parts | {"live": 3 << 18},
        ),
    )
    assert verdict(profile) == (
        "The footprint peaks at 3.0 MiB, 3.00 times the 1.0 MiB that were live at most; "
        "fragmentation then 75.0 %."
    )


@pytest.mark.parametrize(
    ("stamps", "checks", "text"),
    [
        (0, 0, ""),
        (1, 0, "verified: 1 stamp whole"),
        (0, 2, "verified: every invariant held 2 times"),
        (1234, 1, "verified: 1,234 stamps whole · every invariant held 1 time"),
    ],
)
def test_what_was_verified_is_told(result: Result, stamps: int, checks: int, text: str) -> None:
    assert proved(replace(result.profile, stamps=stamps, checks=checks)) == text


def test_verdict_on_nothing(nothing: Result) -> None:
    assert verdict(nothing.profile).endswith("; nothing was ever live.")


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 8, "12.5 %"), (8, 8, "100.0 %"), (0, 8, ""), (1, 0, ""), (1, 10**6, "0.0 %")],
)
def test_percent(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 8, ""),
        (-1, 8, ""),
        (1, 0, ""),
        (8, 8, "████"),
        (4, 8, "██"),
        (1, 32, "▏"),
        (1, 10**9, "▏"),
        (5, 32, "▋"),
        (9, 32, "█▏"),
    ],
)
def test_bar(part: int, whole: int, text: str) -> None:
    assert bar(part, whole, 4) == text


@given(COUNTS, COUNTS, st.integers(1, 40))
def test_bar_is_never_longer_than_its_width(part: int, rest: int, width: int) -> None:
    drawn = bar(part, part + rest, width)
    assert len(drawn) <= width
    assert bool(drawn) == bool(part)


@pytest.mark.parametrize(
    ("values", "most", "line"),
    [
        ([], 5, ""),
        ([1], 0, ""),
        ([0], 8, "▁"),
        ([8], 8, "█"),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], 8, "▁▂▃▄▅▆▇██"),
    ],
)
def test_sparkline(values: list[int], most: int, line: str) -> None:
    assert sparkline(values, most) == line


def test_sparkline_shows_the_highest_of_each_stretch() -> None:
    assert sparkline([0, 7, 0, 0, 0, 3], 8, width=3) == "█▁▄"


@given(st.lists(COUNTS, max_size=200), st.integers(1, 70))
def test_sparkline_has_a_block_for_each_value_up_to_its_width(
    values: list[int], width: int
) -> None:
    line = sparkline(values, max(values, default=1) or 1, width)
    assert len(line) == min(len(values), width)
    if any(values):
        assert "█" in line
