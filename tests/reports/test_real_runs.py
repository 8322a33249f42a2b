"""The program's own figures next to the prediction, in every report of a comparison."""

import json

import pytest

from allocsim.benchmark.figures import Row
from allocsim.program_run import RealRuns
from allocsim.reports.comparison import Compared
from allocsim.reports.comparison_screen import print_comparison
from allocsim.reports.comparison_text import comparison_json, comparison_markdown
from allocsim.reports.real_runs import program_sentences
from tests.reports.comparisons import MIB, compared, rows
from tests.test_program_run import program_run


def real(*peaks: float, cpu: float = 1.0) -> RealRuns:
    """Runs with these peaks in MiB."""
    return RealRuns(
        runs=[program_run(anonymous_peak=int(peak * MIB), cpu_seconds=cpu) for peak in peaks]
    )


def with_program(*found: RealRuns | None) -> Compared:
    """Return a comparison of a program that had 8 MiB under glibc, 2 of them not from malloc."""
    made = rows()
    for row, runs in zip(made, found, strict=False):
        row.real = runs
    shown = compared(made)
    shown.comparison.workload.trace.program_run = program_run(anonymous_peak=8 * MIB)
    return shown


FAILED = RealRuns(failure="prog exited with status 1 under this library")

SHOWN = with_program(None, real(8, 10, 9, cpu=2.0), real(12, 12.5, 13), FAILED)


def test_prediction_is_the_peak_and_what_is_not_from_malloc() -> None:
    found = json.loads(comparison_json(SHOWN))
    assert found["program_run"]["anonymous_peak"] == 8 * MIB
    design, glibc, tcmalloc, odd = (row["real"] for row in found["subjects"])
    assert design is None
    assert (glibc["predicted"], glibc["peak"]) == (8 * MIB, 9 * MIB)
    assert glibc["ratio"] == pytest.approx(8 / 9)
    assert tcmalloc["ratio"] == pytest.approx(12 / 12.5)
    assert len(tcmalloc["runs"]) == 3
    assert (odd["predicted"], odd["peak"], odd["ratio"]) == (None, None, None)
    assert odd["failure"] == FAILED.failure


def test_markdown_has_a_table_of_the_program() -> None:
    text = comparison_markdown(SHOWN)
    assert "| lib:glibc | 8.0 MiB | 9.0 MiB | 8.0 MiB - 10.0 MiB | 0.89 | 2.00 | 1.25 |" in text
    assert "| lib:libodd.so | - | - | - | - | - | - |" in text
    assert "lib:libodd.so: prog exited with status 1 under this library" in text


def test_screen_has_a_table_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(SHOWN)
    out = capsys.readouterr().out
    assert out.index("program under") < out.index("subject")
    assert "lib:libodd.so: prog exited with status 1 under this library" in out
    assert "ratio: predicted / real" in out


def test_comparison_without_a_program_has_no_such_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(compared())
    assert "program" not in capsys.readouterr().out
    assert "program" not in comparison_markdown(compared())
    assert json.loads(comparison_json(compared()))["program_run"] is None


def test_recorded_program_is_next_to_the_prediction_for_its_malloc() -> None:
    recorded, *_ = program_sentences(with_program())
    assert recorded.startswith("The recorded program: peak 8.0 MiB of anonymous memory")
    assert recorded.endswith("Prediction for lib:glibc: 8.0 MiB, 1.00 times the recorded peak.")


def test_prediction_has_no_ratio_to_a_peak_that_may_be_higher() -> None:
    shown = with_program()
    shown.comparison.workload.trace.program_run = program_run(unsampled=0.5)
    assert program_sentences(shown)[0].endswith("Prediction for lib:glibc: 8.0 MiB.")


def test_prediction_for_a_malloc_that_was_not_measured_is_left_out() -> None:
    shown = with_program()
    shown.comparison.workload.trace.program_run = program_run(malloc="/lib/libother.so")
    assert "Prediction" not in program_sentences(shown)[0]


def test_best_library_is_named_only_beyond_the_spread() -> None:
    _, lowest, quickest = program_sentences(SHOWN)
    assert lowest == "Lowest real peak: lib:glibc, 9.0 MiB (lib:tcmalloc: 12.5 MiB)."
    assert quickest == "Least CPU time: lib:tcmalloc, 1.00 s (lib:glibc: 2.00 s)."
    _, lowest, _ = program_sentences(with_program(None, real(8, 12, 9), real(11, 13, 12)))
    assert lowest == (
        "No single lowest real peak: lib:glibc 9.0 MiB, lib:tcmalloc 12.0 MiB; their ranges "
        "overlap."
    )


def test_peaks_of_runs_that_were_not_sampled_to_their_ends_are_marked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    starved = RealRuns(runs=[*real(8, 9).runs, program_run(unsampled=0.5)])
    shown = with_program(None, starved, real(12, 13))
    note = (
        "lib:glibc: the real peak may be higher, because the last 0.50 s of a run were not sampled"
    )
    print_comparison(shown)
    assert note in " ".join(capsys.readouterr().out.split())
    assert note in comparison_markdown(shown)
    found = json.loads(comparison_json(shown))["subjects"][1]["real"]
    assert (found["runs"][2]["unsampled"], found["ratio"]) == (0.5, None)
    assert not any("real peak:" in text for text in program_sentences(shown))


def test_single_runs_rank_nothing() -> None:
    assert len(program_sentences(with_program(None, real(8), real(12)))) == 1


def test_program_that_ran_only_under_failed_libraries_is_shown() -> None:
    shown = with_program(FAILED)
    made = shown.comparison.rows
    assert isinstance(made[0], Row)
    assert "| go2008 | 52.0 MiB | - |" in comparison_markdown(shown)
