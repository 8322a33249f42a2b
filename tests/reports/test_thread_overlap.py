"""The warning about short-lived threads that a recorder has slowed."""

from dataclasses import replace
from typing import Any

import pytest

from allocsim.benchmark.figures import Row
from allocsim.program_run import ProgramRun, RealRuns
from allocsim.reports.conclusions import warnings
from allocsim.reports.thread_overlap import overlap_warning, recordings_warning
from tests.reports.comparisons import MIB, compared, memory


def run(cpu_seconds: float, recorder: str | None = None, threads: int = 9) -> ProgramRun:
    """A run of the program."""
    return ProgramRun(
        anonymous_peak=MIB,
        seconds=cpu_seconds,
        cpu_seconds=cpu_seconds,
        threads=threads,
        cores=2,
        recorder=recorder,
    )


def comparison(described: ProgramRun, real: float | None = None, **workload: Any) -> Any:
    """Return a comparison on a recording of 201 threads.

    `described` is the recorded run. `real` is the CPU time in seconds of a run under the library.
    """
    row = Row(subject="lib:mimalloc", memory=memory(MIB))
    row.real = RealRuns(runs=[run(real)]) if real else None
    made = compared(
        [row], reference="lib:mimalloc", **{"threads": 201, "recorded": True} | workload
    )
    made.comparison.workload.trace.program_run = described
    return made.comparison


def test_slowed_threads_that_come_and_go_are_a_warning() -> None:
    text = overlap_warning(comparison(run(2.5, "preload"), 0.5))
    assert "201 threads, at most 9 existed at the same time when it was recorded" in text
    assert "(2.50 s of CPU time under preload, 0.50 s with lib:mimalloc)" in text
    exact = overlap_warning(comparison(run(2.5, "preload"), at_once=12))
    assert "201 threads, at most 12 existed" in exact
    alone = comparison(run(2.5, "preload"))
    assert "(2.50 s of CPU time under preload)" in overlap_warning(alone)
    assert overlap_warning(alone) in warnings(alone)


@pytest.mark.parametrize(
    "other",
    [
        comparison(run(2.5)),
        comparison(run(2.5, "preload", threads=150)),
        comparison(run(2.5, "preload"), at_once=150),
        comparison(run(2.5, "preload"), 2.4),
        comparison(run(2.5, "preload"), recorded=False),
    ],
    ids=[
        "no recorder",
        "threads that stay",
        "threads at once",
        "threads that were not slowed",
        "one thread",
    ],
)
def test_other_threads_are_no_warning(other: Any) -> None:
    assert overlap_warning(other) == ""


def test_recordings_of_threads_that_come_and_go_are_explained() -> None:
    once = comparison(run(2.5, "preload"))
    assert "`allocsim compare --real-runs 3 -- PROGRAM` records" in recordings_warning(once)
    assert recordings_warning(once) in warnings(once)
    several = replace(once, recordings=3)
    for row in several.rows:
        row.peaks = [1, 2, 3]
    assert recordings_warning(several).startswith("the program was recorded 3 times")
    assert "over the replays of all recordings." in recordings_warning(several)
    assert recordings_warning(several) in warnings(several)
    assert recordings_warning(comparison(run(2.5, "preload", threads=150))) == ""
    assert recordings_warning(comparison(run(2.5, "preload"), recorded=False)) == ""


def test_recordings_and_replays_that_failed_are_explained() -> None:
    once = comparison(run(2.5, "preload"))
    failed = replace(once, recording_warnings=["recording 2 of 3 failed: it was killed."])
    assert recordings_warning(failed).endswith("this is the recording of one run.")
    assert failed.recording_warnings[0] in warnings(failed)
    failed.rows[0].peaks = [1]
    explained = recordings_warning(replace(failed, recordings=2))
    assert "over the replays that did not fail." in explained
    assert "the recording with the higher peak." in explained
