"""All figures of a program that was recorded several times are from one recording, except peaks."""

from dataclasses import replace

import pytest
from msgspec import structs

from allocsim.benchmark.comparison import Comparison, Conditions
from allocsim.benchmark.figures import About, Row
from allocsim.program_run import ProgramRun
from allocsim.real_runs.median_recording import combine
from tests.reports.comparisons import compared, memory, times

GLIBC = "/lib/libc.so.6"


def recording(glibc: int | None, jemalloc: int | None, served: str | None = GLIBC) -> Comparison:
    """A recording with these peaks; None if the replay failed. `served`: the program's malloc."""
    rows = [
        Row(subject="lib:jemalloc", about=About(path="/lib/libjemalloc.so.2")),
        Row(subject="lib:glibc", about=About(path=GLIBC)),
    ]
    for row, peak in zip(rows, (jemalloc, glibc), strict=True):
        row.memory = None if peak is None else memory(peak, end=100 + peak)
        row.failure = "crashed" if peak is None else None
    made = compared(rows, conditions=Conditions(timed=False)).comparison
    made.workload.trace.program_run = ProgramRun(
        anonymous_peak=glibc or 0, seconds=1, cpu_seconds=1, threads=9, cores=2, malloc=served
    )
    return made


def peaks(comparison: Comparison) -> list[int | None]:
    """The peaks of the rows."""
    return [row.memory.peak if row.memory else None for row in comparison.rows]


@pytest.mark.parametrize("served", [GLIBC, None])
def test_all_rows_are_of_the_recording_with_the_median_peak(served: str | None) -> None:
    recordings = [recording(30, 1, served), recording(10, 2, served), recording(20, 3, served)]
    recordings[0] = replace(recordings[0], conditions=Conditions())
    for row in recordings[0].rows:
        row.times = times(5.0)
    found, expected = combine(recordings), recordings[2 if served else 1]
    assert peaks(found) == ([3, 20] if served else [2, 10])
    assert found.workload is expected.workload
    assert [row.peaks for row in found.rows] == [[1, 2, 3], [10, 20, 30]]
    assert [row.times for row in found.rows] == [times(5.0)] * 2
    assert (found.recordings, found.conditions.timed) == (3, True)
    assert found.recording_warnings == []


def test_row_that_failed_in_another_recording_has_a_failure() -> None:
    found = combine([recording(30, 1), recording(10, None), recording(20, 3)])
    assert peaks(found) == [3, 20]
    assert [row.peaks for row in found.rows] == [[1, 3], [10, 20, 30]]
    failures = [row.failure for row in found.rows]
    assert failures == ["crashed (in 1 of 3 recordings)", None]


def test_row_that_failed_in_the_chosen_recording_has_a_failure() -> None:
    found = combine([recording(30, 1), recording(10, 2), recording(20, None)])
    assert [(row.peaks, row.failure) for row in found.rows] == [
        ([1, 2], "crashed (in 1 of 3 recordings)"),
        ([10, 20, 30], None),
    ]


def test_first_row_that_was_measured_decides_if_the_programs_malloc_was_not() -> None:
    found = combine([recording(None, 1), recording(10, 3), recording(20, 2)])
    assert peaks(found) == [2, 20]
    assert found.rows[1].failure == "crashed (in 1 of 3 recordings)"


def test_losses_of_other_recordings_are_warnings() -> None:
    recordings = [recording(30, 1), recording(10, 2), recording(20, 3)]
    for each, losses in zip(recordings, (["a", "b"], ["b"], ["b", "c"]), strict=True):
        each.workload.trace.losses = losses
    found = combine(recordings)
    assert found.workload.trace.losses == ["b", "c"]
    assert found.recording_warnings == ["another recording of the program is incomplete: a."]


def test_recordings_without_a_description_of_the_run_are_not_chosen() -> None:
    recordings = [recording(30, 1), recording(10, 2), recording(20, 3)]
    recordings[2].workload.trace.program_run = None
    found = combine(recordings)
    assert peaks(found) == [1, 30]
    assert found.workload is recordings[0].workload


@pytest.mark.parametrize(("unsampled", "chosen"), [([2], 0), ([1, 2], 0), ([0, 1, 2], 2)])
def test_recording_whose_end_was_not_sampled_is_chosen_only_if_all_are_such(
    unsampled: list[int], chosen: int
) -> None:
    recordings = [recording(30, 1), recording(10, 2), recording(20, 3)]
    for index in unsampled:
        trace = recordings[index].workload.trace
        assert trace.program_run is not None
        trace.program_run = structs.replace(trace.program_run, unsampled=0.5)
    assert combine(recordings).workload is recordings[chosen].workload


def test_recording_of_which_every_replay_failed_is_a_failure_of_every_row() -> None:
    found = combine([recording(30, 1), recording(None, None), recording(20, 3)])
    assert peaks(found) == [1, 30]
    assert [row.peaks for row in found.rows] == [[1, 3], [20, 30]]
    assert [row.failure for row in found.rows] == ["crashed (in 1 of 3 recordings)"] * 2
    assert found.rows_with_peaks == []


def test_failure_of_the_times_is_not_one_of_a_recording() -> None:
    recordings = [recording(30, 1), recording(10, 2), recording(None, 3)]
    for row in recordings[0].rows:
        row.failure = "timed out"
    found = combine(recordings)
    failures = [row.failure for row in found.rows]
    alone = "timed out (while timed)"
    assert failures == [alone, f"crashed (in 1 of 3 recordings); {alone}"]
    assert found.rows_with_peaks == found.rows[:1]
