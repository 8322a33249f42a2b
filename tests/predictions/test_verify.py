"""Which wrong predictions are faults, and whether the programs with threads run."""

from pathlib import Path

import pytest

from allocsim.recorders.program import run_program
from tests.predictions.programs import THREADED, programs
from tests.predictions.times import TimeCell, disagreements, time_lines
from tests.predictions.verify import Cell, faults_of, unranked_of, warned_of

MIB = 1 << 20


def cell(library: str, predicted: float, real: float, program: str = "p") -> Cell:
    """Return a cell with sizes in MiB."""
    return Cell(program, library, int(predicted * MIB), real * MIB, real * MIB, real * MIB)


def test_close_predictions_in_the_right_order_have_no_fault() -> None:
    assert faults_of([cell("a", 11, 10), cell("b", 19, 20), cell("c", 11, 10.5)]) == []


def test_distant_ratio_is_a_fault() -> None:
    found = faults_of([*(cell(name, 10, 10) for name in "abcdefghij"), cell("k", 14, 10)])
    assert found == ["FAILED: p under k: predicted 1.40 times the real median"]


def test_too_few_close_ratios_are_a_fault() -> None:
    assert faults_of([cell("a", 12, 10), cell("b", 10, 10)]) == [
        "FAILED: fewer than 90% of the ratios are within 15% of 1"
    ]


def test_wrong_order_is_a_fault_only_between_libraries_of_a_program() -> None:
    found = faults_of([cell("a", 11, 10), cell("b", 10.5, 12)])
    assert found == ["FAILED: p: b is predicted below a"]
    assert faults_of([cell("a", 11, 10), cell("b", 10.5, 12, "q")]) == []


def test_mark_shows_how_distant_a_ratio_is() -> None:
    marks = [cell("a", predicted, 10).line()[-2:] for predicted in (11, 12, 14)]
    assert marks == ["10", " *", "**"]


@pytest.mark.usefixtures("compiler")
def test_programs_with_threads_end_with_status_0(tmp_path: Path) -> None:
    found = dict(programs(tmp_path))
    for name in THREADED[1:2]:
        program = found[name]
        assert not isinstance(program, str)
        assert run_program(program, {}).status == 0
    assert len(found) == 8


def test_wrong_prediction_that_compare_warns_of_is_no_fault() -> None:
    right = [cell(name, 10, 10) for name in "abcdefghij"]
    wrong = [cell("a", 14, 10, "q"), cell("b", 12.5, 12, "q")]
    warned = [it._replace(warned=True) for it in wrong]
    assert faults_of([*right, *warned]) == []
    assert warned_of([*right, *warned]) == [
        "warned of: q under a: predicted 1.40 times the real median",
        "warned of: q: b is predicted below a",
    ]
    assert warned_of([*right, *wrong]) == []


def test_pair_that_compare_does_not_rank_is_listed_and_no_fault() -> None:
    low, high = cell("a", 11, 10), cell("b", 10.9, 12)
    unranked = [low._replace(unranked=frozenset("b")), high._replace(unranked=frozenset("a"))]
    assert faults_of(unranked) == []
    assert unranked_of(unranked) == ["p: a has a lower peak than b; no order is predicted"]
    assert unranked_of([low, high]) == []
    close = [unranked[0], unranked[1]._replace(real=10.5 * MIB)]
    assert unranked_of(close) == []


def test_wrong_order_of_runs_that_overlap_is_reported_as_such() -> None:
    one = cell("a", 11, 10)._replace(highest=12.0 * MIB)
    found = faults_of([one, cell("b", 10.5, 12)])
    assert found == ["FAILED: p: b is predicted below a; their real runs overlap"]


def timed(library: str, predicted: list[float], real: list[float], program: str = "p") -> TimeCell:
    """Return a cell with times in ns/event."""
    return TimeCell(program, library, predicted, real)


def test_order_of_times_is_compared_only_if_the_real_runs_differ() -> None:
    fast, slow = timed("a", [10, 12], [50, 60]), timed("b", [20, 21], [70, 80])
    assert [*disagreements([slow, fast])] == []
    assert [*disagreements([timed("a", [30], [50, 71]), slow])] == []
    assert [*disagreements([timed("a", [30], [50]), slow._replace(program="q")])] == []


def test_order_of_times_that_is_not_predicted_is_listed() -> None:
    slow = timed("b", [20, 21], [70, 80])
    assert [*disagreements([slow, timed("a", [22, 23], [50, 60])])] == [
        "p: a is faster than b; the reverse is predicted"
    ]
    assert [*disagreements([slow, timed("a", [19, 20.5], [50, 60])])] == [
        "p: a is faster than b; no order is predicted"
    ]
    assert time_lines([]) == []
    assert "20.5" in time_lines([slow])[1]
