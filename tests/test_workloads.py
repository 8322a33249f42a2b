"""Workloads by name: the trace or job that a name refers to."""

import shutil
from pathlib import Path

import pytest

from allocsim.core import compile_notice
from allocsim.errors import InputError, JobError, TraceError, UnknownName
from allocsim.events import Trace
from allocsim.jobs import bundled_jobs, bundled_traces, bundled_workloads
from allocsim.traces.native.file import write_trace
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.scan import line_reader
from allocsim.workloads import (
    default_design,
    expect_kernels,
    open_job,
    open_parameters,
    open_recording,
    open_workload,
)
from tests.pipes import filled_pipe

CALLS = "1: malloc 0x10 5\n1: free 0x10\n"


@pytest.fixture(autouse=True)
def _empty_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _short_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read texts 64 calls at a time: in pure mode a full batch takes seconds."""
    monkeypatch.setattr(line_reader, "call_arrays", lambda: call_arrays(64))


def started(trace: Trace) -> Trace:
    """Read the first events of a trace and close it."""
    assert len(next(trace.chunks)) > 0
    trace.close()
    return trace


@pytest.mark.parametrize("name", [job.stem for job in bundled_jobs()])
def test_bundled_job_is_found_by_its_name(name: str) -> None:
    trace = open_workload(name)
    assert trace.name == name
    assert trace.description["kind"] in name or trace.seed is not None


@pytest.mark.usefixtures("_short_batches")
@pytest.mark.parametrize("name", bundled_traces())
def test_bundled_trace_is_found_by_its_name(name: str) -> None:
    trace = started(open_workload(name))
    assert (trace.name, trace.description["kind"]) == (name, "trace")


@pytest.mark.parametrize("name", ["mine.txt", "./mine.txt", "mine"])
def test_file_that_is_not_a_job_is_a_trace(name: str) -> None:
    Path(name).write_text(CALLS)
    trace = open_workload(name)
    assert [len(chunk) for chunk in trace.chunks] == [2]
    assert (trace.name, trace.description["file"]) == (name, name)


@pytest.mark.parametrize("name", ["mine.toml", "./mine.toml"])
def test_file_that_ends_in_toml_is_a_job(name: str) -> None:
    Path(name).write_text('kind = "pipeline"\nops = 50\nseed = 4\n')
    trace = open_workload(name)
    assert (trace.name, trace.length, trace.seed) == (name, 50, 4)


def test_local_file_hides_a_bundled_job_of_its_name() -> None:
    Path("server").write_text(CALLS)
    assert started(open_workload("server")).description["kind"] == "trace"
    assert open_job("server").description["kind"] == "server"


def test_copy_of_a_bundled_job_is_the_same() -> None:
    shutil.copy(bundled_workloads() / "server.toml", "mine.toml")
    assert open_workload("mine.toml").description == open_workload("server").description


def test_seed_replaces_that_of_the_job() -> None:
    assert open_workload("server", 77).seed == 77
    assert open_workload("server", 77).description["seed"] == 77


def test_seed_of_a_recording_is_an_error() -> None:
    Path("mine.txt").write_text(CALLS)
    with pytest.raises(InputError, match=r"'mine\.txt' is a recording and has no random seed"):
        open_workload("mine.txt", 5)


def test_unknown_name_offers_jobs_and_traces() -> None:
    with pytest.raises(UnknownName, match="did you mean 'sqlite-orders'") as raised:
        open_workload("sqlite-order")
    assert all(name in str(raised.value) for name in ("server", "sqlite-orders"))


def test_unknown_recording_offers_the_bundled_ones() -> None:
    with pytest.raises(
        UnknownName, match=r"did you mean 'sqlite-orders'.*; expected a file or one of"
    ):
        open_recording("sqlite-order")


@pytest.mark.parametrize("name", ["server", "mine.toml"])
def test_job_is_not_a_recording_and_the_message_says_how_to_run_it(name: str) -> None:
    with pytest.raises(InputError, match=f"allocsim run {name}"):
        open_recording(name)


def test_recording_that_ends_in_toml_is_read_if_its_format_is_given() -> None:
    Path("mine.toml").write_text(CALLS)
    assert [len(chunk) for chunk in open_recording("mine.toml", "aosp").chunks] == [2]


@pytest.mark.parametrize("name", ["sqlite-orders", "mine.allocsim", "mine"])
def test_recording_is_not_a_job_and_the_message_says_how_to_replay_it(name: str) -> None:
    Path("mine").write_text(CALLS)
    with pytest.raises(InputError, match=f"allocsim replay {name}"):
        open_job(name)


@pytest.mark.parametrize("name", ["gone.txt", "gone/", "./gone"])
def test_missing_file_is_named(name: str) -> None:
    with pytest.raises(TraceError, match=name):
        open_workload(name)


def test_missing_job_is_named() -> None:
    with pytest.raises(JobError, match=r"gone\.toml: No such file"):
        open_workload("gone.toml")


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_name_that_no_file_can_have_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError):
        open_workload(name)


@pytest.mark.usefixtures("_short_batches")
def test_recording_has_the_name_that_the_user_gave() -> None:
    trace = started(open_recording("sqlite-orders"))
    assert trace.name == "sqlite-orders"
    assert trace.description["file"].endswith("sqlite-orders.txt.gz")


@pytest.mark.parametrize("name", ["mine.txt", "mine.toml"])
def test_trace_can_be_opened_again(name: str) -> None:
    Path("mine.txt").write_text(CALLS)
    Path("mine.toml").write_text('kind = "pipeline"\nops = 50\n')
    trace = open_workload(name)
    first = [chunk.tolist() for chunk in trace.chunks]
    assert trace.reopen
    again = trace.reopen()
    assert (again.name, again.reopen is not None) == (name, True)
    assert [chunk.tolist() for chunk in again.chunks] == first


def test_job_opened_again_has_the_same_seed() -> None:
    trace = open_job("server", 77)
    assert trace.reopen
    assert trace.reopen().seed == 77


def test_job_is_given_by_its_keys() -> None:
    trace = open_parameters({"kind": "random", "ops": 7, "seed": 3}, 4)
    assert (trace.name, trace.length, trace.seed) == ("random", 7, 4)
    with pytest.raises(InputError, match="a job needs a kind"):
        open_parameters({"ops": 7})


@pytest.mark.parametrize(("name", "design"), [("mine.txt", "glibc"), ("mine.toml", "go2008")])
def test_recording_is_replayed_on_glibc_and_other_workloads_on_go2008(
    name: str, design: str
) -> None:
    Path("mine.txt").write_text(CALLS)
    Path("mine.toml").write_text('kind = "pipeline"\nops = 50\n')
    with open_workload(name) as trace:
        assert default_design(trace) == design
        write_trace(trace, Path("stored.allocsim"))
    with open_workload("stored.allocsim") as stored:
        assert default_design(stored) == design


def test_only_a_regular_file_can_be_opened_again() -> None:
    Path("calls.txt").write_text(CALLS)
    with open_recording("calls.txt") as trace:
        assert trace.reopen is not None
    with filled_pipe(CALLS.encode()) as path, open_recording(path) as trace:
        assert trace.reopen is None


@pytest.mark.parametrize(
    ("subjects", "groups"),
    [
        (["glibc:arena_max=1", "go"], ["allocsim.designs.glibc", "allocsim.designs.go"]),
        (["lib:/opt/x.so:my_"], ["allocsim.libraries", "allocsim.benchmark"]),
    ],
)
def test_kernels_of_the_workload_and_of_every_subject_are_expected(
    subjects: list[str], groups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected: list[str] = []
    monkeypatch.setattr(compile_notice, "expect", lambda *modules: expected.extend(modules))
    expect_kernels(None, subjects)
    assert expected == sorted([*groups, "allocsim.traces"])
    expected.clear()
    expect_kernels(open_workload("random"), subjects)
    assert expected == sorted([*groups, "allocsim.generators"])


def test_kernels_of_a_recording_that_is_only_read_are_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected: list[str] = []
    monkeypatch.setattr(compile_notice, "expect", lambda *modules: expected.extend(modules))
    open_recording("sqlite-orders").close()
    assert expected == ["allocsim.traces"]
