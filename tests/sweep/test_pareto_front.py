"""The Pareto front: a subject is off it only if the ranges of the runs show a better one."""

import random

import pytest

from allocsim.sweep.findings import CLOSE
from allocsim.sweep.pareto_front import front

PEAKS = {"small": 10.0, "large": 20.0}


def test_subject_that_is_larger_and_clearly_slower_is_off_the_front() -> None:
    times = {"small": 5.0, "large": 6.0}
    assert front(PEAKS, times, {"small": (4.9, 5.2), "large": (5.8, 6.1)}) == ["small"]


def test_subject_whose_runs_overlap_those_of_the_faster_one_stays_on_the_front() -> None:
    times = {"small": 5.0, "large": 5.1}
    assert front(PEAKS, times, {"small": (4.9, 5.2), "large": (4.8, 5.3)}) == ["small", "large"]


def test_subject_with_a_single_run_is_neither_on_the_front_nor_takes_others_off() -> None:
    times = {"small": 1.0, "large": 6.0}
    assert front(PEAKS, times, {"large": (5.8, 6.1)}) == ["large"]
    assert front(PEAKS, times, {}) == []


def test_exact_figures_have_no_ranges() -> None:
    assert front(PEAKS, {"small": 5.0, "large": 5.1}) == ["small"]


def test_figures_that_are_close_count_as_equally_good() -> None:
    times = {"a": 5.0, "b": 5.0 * (1 + CLOSE / 2), "c": 5.0 * (1 + 2 * CLOSE)}
    assert front({"a": 1.0, "b": 1.0, "c": 1.0}, times) == ["a", "b"]
    assert front({"a": 1.0, "b": 1.0, "c": 1.0 - CLOSE / 2}, times) == ["a", "b"]
    assert front({"a": 1.0, "b": 1.0, "c": 1.0 - 2 * CLOSE}, times) == ["a", "b", "c"]


def test_of_subjects_with_the_same_figures_the_first_is_returned() -> None:
    same = {"b": 1.0, "a": 1.0}
    assert front(same, same) == ["b"]


def test_subject_without_a_time_is_not_on_the_front() -> None:
    assert front({"a": 1.0, "b": 2.0}, {"b": 5.0}) == ["b"]


@pytest.mark.parametrize("seed", range(5))
def test_front_has_every_subject_that_no_other_beats(seed: int) -> None:
    numbers = random.Random(seed)
    for _ in range(40):
        names = [str(n) for n in range(9)]
        peaks = {n: float(numbers.randrange(8)) for n in names}
        ends = {n: sorted(float(numbers.randrange(8)) for _ in range(3)) for n in names}
        times, ranges = {n: ends[n][1] for n in names}, {n: (ends[n][0], ends[n][2]) for n in names}
        points = {n: (peaks[n], *ranges[n]) for n in names}

        def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
            """Whether one point is as good as another in both figures and better in one."""
            pairs = (one[0], other[0]), (one[2], other[1])
            return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

        found = front(peaks, times, ranges)
        best = {p for p in points.values() if not any(beats(q, p) for q in points.values())}
        assert {points[n] for n in found} == best
        assert [times[n] for n in found] == sorted(times[n] for n in found)
        assert front(peaks, times), "a front of exact figures is never empty"
