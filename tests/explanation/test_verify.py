"""The checks of scripts/verify-explain, on a small recording."""

import math

import pytest

from tests.explanation.calibration import Calibration, calibrate
from tests.explanation.sums import DESIGNS, SAMPLES, WORKLOADS, check_sums

MIB = 1 << 20


@pytest.mark.compiled
@pytest.mark.parametrize("design", DESIGNS)
def test_owners_of_a_recording_sum_on_every_design(design: str) -> None:
    assert check_sums(str(SAMPLES / "ls.logalloc.gz"), design).maps in (1, 2)


@pytest.mark.compiled
def test_owners_of_a_recording_sum_on_a_library() -> None:
    assert check_sums(str(SAMPLES / "ls.logalloc.gz"), "lib:glibc").maps in (1, 2)


def test_there_are_twenty_workloads() -> None:
    assert len(set(WORKLOADS)) == 20


@pytest.mark.compiled
def test_groups_are_compared_with_the_replay_without_them() -> None:
    found = calibrate(str(SAMPLES / "ls.logalloc.gz"), "glibc", "live-peak")
    assert found.groups
    assert found.unsaid() == []
    for _, owned, saved in found.groups:
        assert 0 < owned <= found.footprint
        assert saved <= found.footprint


def test_difference_by_a_factor_of_two_must_be_said() -> None:
    groups = [("a", 50 * MIB, 20 * MIB), ("b", 20 * MIB, 15 * MIB), ("c", 3 * MIB, 8 * MIB)]
    assert Calibration(100 * MIB, groups, []).unsaid() == ["a"]
    assert Calibration(100 * MIB, groups, ["a owns 50 MiB"]).unsaid() == []


def test_correlation_is_that_of_shares_and_savings() -> None:
    assert Calibration(9, [("a", 3, 6), ("b", 1, 2)], []).correlation == pytest.approx(1)
    assert math.isnan(Calibration(9, [("a", 3, 6)], []).correlation)
    assert Calibration(9, [("a", 3, 6), ("b", 3, 2)], []).correlation == 0
