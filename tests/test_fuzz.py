"""Damaged traces and job files end in events or in an error of ours, never in anything else."""

from pathlib import Path

import pytest

from tests import fuzz


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_damaged_traces_play_or_are_refused(tmp_path: Path, seed: int) -> None:
    count = fuzz.cases(compiled=1000, pure=17)
    ends = fuzz.run("traces", count, seed, tmp_path / "trace.txt")
    assert sum(ends.values()) == count
    assert ends["TraceError"] > count / 10
    assert ends["success"] > count / 10


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files_of_our_own_play_or_are_refused(tmp_path: Path, seed: int) -> None:
    count = fuzz.cases(compiled=1000, pure=15)
    ends = fuzz.run("stored", count, seed, tmp_path / "trace.allocsim")
    assert sum(ends.values()) == count
    assert all(ends[end] > count / 50 for end in ("TraceError", "success"))


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_jobs_play_or_are_refused(tmp_path: Path, seed: int) -> None:
    count = fuzz.cases(compiled=1500, pure=25)
    ends = fuzz.run("jobs", count, seed, tmp_path / "job.toml")
    assert sum(ends.values()) == count
    assert ends["JobError"] > count / 10
    assert ends["success"] > count / 10


@pytest.mark.parametrize("job", fuzz.JOBS, ids=lambda job: job.split(b'"')[1].decode())
def test_undamaged_job_plays(tmp_path: Path, job: bytes) -> None:
    assert fuzz.try_job(job, tmp_path / "job.toml") == "success"


def test_undamaged_trace_plays(tmp_path: Path) -> None:
    assert fuzz.try_trace(fuzz.RECORDED, tmp_path / "trace.txt") == "success"
