"""Predictions for the recorded program, and warnings if its own figure differs."""

import pytest

from allocsim.benchmark.comparison import Comparison, Conditions
from allocsim.driver_records import Touch
from allocsim.program_run import ProgramRun
from allocsim.real_runs.served_row import served_row
from allocsim.reports.comparison_text import comparison_markdown
from allocsim.reports.predictions import prediction, prediction_warnings
from tests.reports.comparisons import MIB, compared
from tests.test_program_run import program_run


def comparison(run: ProgramRun | None) -> Comparison:
    """Return a comparison with `run` as the program's own figures; the peak of glibc is 6 MiB."""
    found = compared().comparison
    found.workload.trace.program_run = run
    return found


def with_peak(peak: int) -> Comparison:
    """Return a comparison of a program with this peak in MiB, of which 2 are not from malloc."""
    return comparison(program_run(anonymous_peak=peak * MIB))


def with_touch(touch: Touch, is_recorded: bool) -> Comparison:
    """Return a comparison whose prediction is too high; `is_recorded` is `knows_touched`."""
    found = compared(conditions=Conditions(touch=touch), knows_touched=is_recorded).comparison
    found.workload.trace.program_run = program_run(anonymous_peak=4 * MIB)
    return found


def test_prediction_adds_what_is_not_from_malloc() -> None:
    found = with_peak(8)
    predicted = [prediction(row, found) for row in found.rows]
    assert predicted == [52 * MIB, 8 * MIB, 12 * MIB, None]
    unknown = comparison(None)
    assert prediction(unknown.rows[0], unknown) is None


def test_row_of_the_malloc_that_served_the_program_is_found() -> None:
    found = served_row(with_peak(8))
    assert found is not None
    assert found.subject == "lib:glibc"
    assert served_row(comparison(None)) is None
    assert served_row(comparison(program_run(malloc=None))) is None
    assert served_row(comparison(program_run(malloc="/lib/libother.so"))) is None


def test_library_with_settings_did_not_serve_the_program() -> None:
    found = with_peak(8)
    found.rows[1].subject = "lib:glibc:arena_max=1"
    assert served_row(found) is None


@pytest.mark.parametrize(
    ("peak", "words"),
    [(4, "but still needs more memory than the program"), (12, "that the replay does not have")],
)
def test_prediction_that_is_not_close_is_a_warning(peak: int, words: str) -> None:
    [warning] = prediction_warnings(with_peak(peak))
    assert warning.startswith(
        "the prediction for lib:glibc is 8.0 MiB, and the recorded program had "
    )
    assert words in warning


def test_prediction_may_be_too_high_because_everything_is_written() -> None:
    [warning] = prediction_warnings(with_touch(Touch.FULL, is_recorded=True))
    assert "--touch full assumes that the program writes to all" in warning


@pytest.mark.parametrize(
    ("touch", "is_recorded", "extent"),
    [
        (Touch.NONE, True, "no object (--touch none)"),
        (Touch.FIRST, True, "only the first byte of each object (--touch first)"),
        (Touch.PAGE, True, "the same part of each large object as the program (--touch page)"),
        (Touch.PAGE, False, "a byte in each page of most objects (--touch page)"),
    ],
)
def test_prediction_is_too_high_although_little_is_written(
    touch: Touch, is_recorded: bool, extent: str
) -> None:
    [warning] = prediction_warnings(with_touch(touch, is_recorded=is_recorded))
    assert f"the replay writes to {extent}, but still needs more memory" in warning
    assert "assumes" not in warning


def test_peak_that_may_be_too_low_is_not_compared_with_the_prediction() -> None:
    [warning] = prediction_warnings(comparison(program_run(anonymous_peak=MIB, unsampled=0.5)))
    assert "its last 0.50 s were not sampled" in warning


def test_prediction_below_a_peak_that_may_be_higher_is_too_low() -> None:
    [warning] = prediction_warnings(comparison(program_run(anonymous_peak=12 * MIB, unsampled=0.5)))
    assert "the program has memory that the replay does not have" in warning


@pytest.mark.parametrize(("peak", "end"), [(4, "lower"), (6, "upper"), (8, "upper")])
def test_recorded_peak_says_which_end_of_a_range_holds(peak: int, end: str) -> None:
    found = with_peak(peak)
    memory = found.rows[1].memory
    assert memory is not None
    memory.lowest = 1 * MIB
    [warning] = prediction_warnings(found)
    assert warning.startswith("the prediction for lib:glibc is 3.0 MiB - 8.0 MiB, and the recorded")
    assert f"the {end} ends of the ranges are the better predictions" in warning


def test_prediction_that_is_close_is_no_warning() -> None:
    assert prediction_warnings(with_peak(8)) == []
    assert prediction_warnings(with_peak(9)) == []
    assert prediction_warnings(comparison(None)) == []


def test_small_program_is_no_reason_for_a_warning() -> None:
    small = comparison(program_run(anonymous_peak=100 << 10, outside_malloc=0))
    memory = small.rows[1].memory
    assert memory is not None
    memory.peak = 600 << 10
    assert prediction_warnings(small) == []


def test_warning_is_in_the_report() -> None:
    shown = compared()
    shown.comparison.workload.trace.program_run = program_run(anonymous_peak=4 * MIB)
    assert "Warning: the prediction for lib:glibc is 8.0 MiB" in comparison_markdown(shown)


def test_range_of_several_recordings_is_not_compared_with_one_run() -> None:
    found = with_peak(4)
    found.rows[1].peaks = [1 * MIB, 6 * MIB, 20 * MIB]
    [warning] = prediction_warnings(found)
    assert warning.startswith("the prediction for lib:glibc is 8.0 MiB, and the recorded program")
