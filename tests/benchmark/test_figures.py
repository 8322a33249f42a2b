"""Figures that are computed from measured figures."""

import pytest

from tests.reports.comparisons import MIB, memory, times


def test_overhead_and_fragmentation_are_of_the_peak() -> None:
    figures = memory(20 * MIB, live_at_peak=5 * MIB, peak_live=8 * MIB)
    assert figures.overhead == 4.0
    assert figures.fragmentation == 0.75
    assert figures.x_live == 2.5


def test_ratio_to_zero_bytes_is_none() -> None:
    figures = memory(0, live_at_peak=0, peak_live=0)
    assert (figures.overhead, figures.x_live, figures.fragmentation) == (None, None, 0.0)


def test_time_is_the_median_of_the_runs() -> None:
    figures = times(10.0, 30.0, 11.0, 12.0)
    assert figures.ns == 11.5
    assert figures.middle == pytest.approx((10.75, 16.5))
    assert figures.spread == pytest.approx(20 / 11.5)


def test_single_run_has_no_spread() -> None:
    assert times(10.0).spread is None
    assert times(10.0).middle == (10.0, 10.0)
