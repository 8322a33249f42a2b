"""The faults of predictions, and the programs with threads."""

from pathlib import Path

import pytest

from allocsim.recorders.program import run_program
from tests.predictions.programs import THREADED, programs
from tests.predictions.verify import Cell, faults_of

MIB = 1 << 20


def cell(library: str, predicted: float, real: float, program: str = "p") -> Cell:
    """Return a cell with sizes in MiB."""
    return Cell(program, library, int(predicted * MIB), real * MIB, real * MIB, real * MIB)


def test_close_predictions_in_the_right_order_have_no_fault() -> None:
    assert faults_of([cell("a", 11, 10), cell("b", 19, 20), cell("c", 11, 10.5)]) == []


def test_distant_ratio_is_a_fault() -> None:
    found = faults_of([*(cell(name, 10, 10) for name in "abcdefghij"), cell("k", 14, 10)])
    assert found == ["FAILED: p under k: 1.40 times the median"]


def test_too_few_close_ratios_are_a_fault() -> None:
    assert faults_of([cell("a", 12, 10), cell("b", 10, 10)]) == ["FAILED: fewer than 90% are"]


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
