"""Damaged traces and job files give events or an AllocsimError, nothing else."""

from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from tests import fuzz, fuzz_results

pytestmark = pytest.mark.slow

READ = ("success", "OutOfMemory")
"""Outcomes of a trace that was read. Its replay may need more memory than the small heap has."""


@pytest.mark.parametrize("form", fuzz.RECORDED)
def test_damaged_traces_replay_or_give_an_error(tmp_path: Path, form: str) -> None:
    count = fuzz.cases(compiled=400, pure=20)
    if form == "memray":  # its reader is a new process for each case
        count //= 20
    ends = fuzz.run(form, count, 1, tmp_path / "trace.txt")
    assert sum(ends.values()) == count
    if form == "memray":  # a small capture is nearly all compressed, so an outcome may be rare
        return
    assert sum(ends.get(end, 0) for end in READ) > count / 20
    if form not in ("valgrind", "ltrace"):  # their readers skip lines of other formats
        assert ends["TraceError"] > count / 20


LINES = [form for form in fuzz.RECORDED if fuzz.RECORDED[form][0].isascii()]


@pytest.mark.skipif(PURE, reason="10 MB take minutes in pure mode")
@pytest.mark.parametrize("form", LINES)
@pytest.mark.parametrize("piece", [b"9", b"x", b"0x7f"], ids=repr)
def test_line_of_10_megabytes_is_an_error_or_skipped(
    tmp_path: Path, form: str, piece: bytes
) -> None:
    (recorded, *_) = fuzz.RECORDED[form]
    lines = recorded.splitlines(keepends=True)
    lines[5:5] = [lines[5].rstrip() + piece * ((10 << 20) // len(piece)) + b"\n"]
    end = fuzz.try_trace(b"".join(lines), tmp_path / "trace.txt", form)
    assert end == ("success" if form in ("valgrind", "ltrace") else "TraceError")


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_allocsim_traces_replay_or_give_an_error(tmp_path: Path, seed: int) -> None:
    count = fuzz.cases(compiled=600, pure=15)
    ends = fuzz.run("stored", count, seed, tmp_path / "trace.allocsim")
    assert sum(ends.values()) == count
    assert all(ends[end] > count / 50 for end in ("TraceError", "success"))


def test_damaged_call_sites_are_read_or_give_an_error(tmp_path: Path) -> None:
    count = fuzz.cases(compiled=600, pure=60)
    ends = fuzz.run("sites", count, 1, tmp_path / "trace.allocsim")
    assert sum(ends.values()) == count
    assert all(ends[end] > count / 50 for end in ("TraceError", "success"))


def test_damaged_recordings_are_converted(tmp_path: Path) -> None:
    count = fuzz.cases(compiled=150, pure=2)
    assert fuzz.run("recording", count, 1, tmp_path / "recording") == {"success": count}


@pytest.mark.parametrize("kind", fuzz_results.READ)
def test_damaged_results_and_tables_are_used_or_give_an_error(tmp_path: Path, kind: str) -> None:
    count = fuzz.cases(compiled=200, pure=12)
    ends = fuzz.run(kind, count, 1, tmp_path / "file")
    assert sum(ends.values()) == count
    assert ends["InputError"] > count / 10


@pytest.mark.parametrize("kind", fuzz_results.READ)
def test_undamaged_results_and_tables_are_used(tmp_path: Path, kind: str) -> None:
    for original in fuzz_results.originals()[kind]:
        assert fuzz.try_result(kind, original, tmp_path / "file") == "success"


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_jobs_replay_or_give_an_error(tmp_path: Path, seed: int) -> None:
    count = fuzz.cases(compiled=700, pure=25)
    ends = fuzz.run("jobs", count, seed, tmp_path / "job.toml")
    assert sum(ends.values()) == count
    assert ends["JobError"] > count / 10
    assert ends["success"] > count / 10


@pytest.mark.parametrize("job", fuzz.JOBS, ids=lambda job: job.split(b'"')[1].decode())
def test_undamaged_job_replays(tmp_path: Path, job: bytes) -> None:
    assert fuzz.try_job(job, tmp_path / "job.toml") == "success"


@pytest.mark.parametrize("form", fuzz.RECORDED)
def test_undamaged_trace_replays(tmp_path: Path, form: str) -> None:
    for recorded in fuzz.RECORDED[form]:
        assert fuzz.try_trace(recorded, tmp_path / "trace.txt") in READ
