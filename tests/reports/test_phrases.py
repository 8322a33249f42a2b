"""Headline, summary, percent, bar and sparkline."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.reports import Result
from allocsim.reports.phrases import bar, headline, percent, sparkline, summary, verification

COUNTS = st.integers(0, 1 << 50)


def test_headline_names_workload_and_design(result: Result) -> None:
    assert headline(result).startswith("random on go2008: 120 events, ")
    assert headline(result).endswith(" ns/event")


def test_summary_compares_peak_footprint_and_peak_live(result: Result) -> None:
    profile = replace(
        result.profile,
        peak_live=1 << 20,
        at_peak=replace(
            result.profile.at_peak,
            footprint=3 << 20,
            parts=result.profile.at_peak.parts | {"live": 3 << 18},
        ),
    )
    assert summary(profile) == (
        "Peak footprint 3.0 MiB, 3.00x peak live (1.0 MiB). Fragmentation at the peak: 75.0%."
    )


@pytest.mark.parametrize(
    ("stamps", "checks", "text"),
    [
        (0, 0, ""),
        (1, 0, "verified: 1 object intact"),
        (0, 2, "verified: all invariants held in 2 checks"),
        (1234, 1, "verified: 1,234 objects intact · all invariants held in 1 check"),
    ],
)
def test_verification_counts_objects_and_checks(
    result: Result, stamps: int, checks: int, text: str
) -> None:
    assert verification(replace(result.profile, stamps=stamps, checks=checks)) == text


def test_summary_without_live_bytes(nothing: Result) -> None:
    assert summary(nothing.profile).endswith("; nothing was ever live.")


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 8, "12.5%"), (8, 8, "100.0%"), (0, 8, ""), (1, 0, ""), (1, 10**6, "0.0%")],
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
    ("values", "width", "line"),
    [
        ([], 5, ""),
        ([1], 0, ""),
        ([0], 8, "▁"),
        ([8], 8, "█"),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], 8, "▁▂▃▄▅▆▇██"),
    ],
)
def test_sparkline(values: list[int], width: int, line: str) -> None:
    assert sparkline(values, width) == line


def test_sparkline_shows_the_maximum_of_each_interval() -> None:
    assert sparkline([0, 7, 0, 0, 0, 3], 8, width=3) == "█▁▄"


@given(st.lists(COUNTS, max_size=200), st.integers(1, 70))
def test_sparkline_has_a_block_for_each_value_up_to_its_width(
    values: list[int], width: int
) -> None:
    line = sparkline(values, max(values, default=1) or 1, width)
    assert len(line) == min(len(values), width)
    if any(values):
        assert "█" in line
