"""The functions of the package give the same results as the commands with the same names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import allocsim
from allocsim.cli import cli
from allocsim.core.records import SAMPLE
from allocsim.errors import AllocsimError, InputError, LimitExceeded, UnknownName
from allocsim.events import Trace
from allocsim.traces.native.file import write_trace
from tests.playing import toggling, trace_of

JOB = {"kind": "random", "ops": 90, "slots": 20, "threads": 3}
CALLS = "1: malloc 0x10 5000\n2: malloc 0x20 100\n1: free 0x10\n"

DESIGNS = pytest.mark.parametrize("design", ["go2008", "tcmalloc"])


@pytest.fixture(autouse=True)
def _in_empty_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test in a directory that has only a recording and a job file."""
    monkeypatch.chdir(tmp_path)
    Path("mine.txt").write_text(CALLS)
    Path("mine.toml").write_text('kind = "random"\nops = 90\nslots = 20\nthreads = 3\n')


def stored(trace: Trace) -> Path:
    """Return the path of the trace in allocsim's own format."""
    path = Path("mine.allocsim")
    write_trace(trace, path)
    return path


def printed(command: str) -> dict[str, Any]:
    """Return what a command prints with --json."""
    done = CliRunner().invoke(cli, [*command.split(), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without the figures that differ between two runs."""
    end = {key: value for key, value in result["at_end"].items() if key != "resident"}
    without = {key: value for key, value in result.items() if key not in ("command", "time")}
    return without | {"at_end": end}


@pytest.mark.slow
@DESIGNS
@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run mine.toml", {}),
        ("run mine.toml --seed 5 --touch none", {"seed": 5, "touch": "none"}),
        ("run mine.toml --verify --check-every 40", {"verify": True, "check_every": 40}),
        ("run mine.toml --reserve 1GiB --limit 1GiB", {"reserve": "1GiB", "limit": 1 << 30}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_replay_of_a_job_is_what_run_prints(
    design: str, command: str, options: dict[str, Any]
) -> None:
    profile = allocsim.replay("mine.toml", design, **options)
    result = profile.as_dict()
    shown = printed(f"{command} --design {design}")
    assert list(result) == list(shown)
    assert list(result["time"]) == list(shown["time"])
    assert comparable(json.loads(json.dumps(result))) == comparable(shown)


@pytest.mark.parametrize("threads", ["recorded", "one"])
def test_replay_of_a_recording_is_what_replay_prints(threads: str) -> None:
    profile = allocsim.replay("mine.txt", threads=threads)
    shown = printed(f"replay mine.txt --threads {threads}")
    assert comparable(profile.as_dict()) == comparable(shown)


def test_replay_takes_parameters_of_the_design() -> None:
    profile = allocsim.replay("mine.txt", "tcmalloc", startup="none", release_rate=10)
    shown = printed("replay mine.txt --design tcmalloc --set startup=none --set release_rate=10")
    assert profile.parameters["release_rate"] == 10
    assert comparable(profile.as_dict()) == comparable(shown)


@pytest.mark.parametrize(
    "source",
    ["mine.toml", Path("mine.toml"), JOB, lambda: allocsim.workload(JOB)],
    ids=["name", "path", "keys", "trace"],
)
def test_every_kind_of_workload_can_be_replayed(source: Any) -> None:
    profile = allocsim.replay(source() if callable(source) else source)
    assert (profile.events, profile.trace.seed) == (90, 1)


@pytest.mark.parametrize(
    "opener",
    [
        lambda: allocsim.open_trace("mine.txt"),
        lambda: allocsim.workload("mine.txt"),
        lambda: allocsim.workload(Path("mine.toml")),
        lambda: allocsim.workload(JOB),
        lambda: allocsim.open_trace(stored(allocsim.workload(JOB))),
    ],
    ids=["open_trace", "recording", "job file", "keys", "allocsim trace"],
)
def test_one_trace_can_be_replayed_on_several_designs(opener: Callable[[], Trace]) -> None:
    trace = opener()
    first = allocsim.replay(trace)
    other = allocsim.replay(trace, design="tcmalloc")
    again = allocsim.replay(trace)
    assert first.events == other.events == again.events > 0
    assert comparable(first.as_dict()) == comparable(again.as_dict())


def test_trace_that_can_be_read_once_is_replayed_once() -> None:
    events = toggling(20)
    trace = trace_of(events)
    trace.chunks = (chunk for chunk in [events])
    assert allocsim.replay(trace).events == 20
    with pytest.raises(
        InputError, match="events of 'test' have been read and cannot be read again"
    ):
        allocsim.replay(trace)


def test_events_of_a_trace_are_structured_arrays() -> None:
    with allocsim.open_trace("mine.txt") as trace:
        (events,) = list(trace.chunks)
    assert events["request"].tolist() == [5000, 100, 0]
    assert repr(trace) == "<Trace mine.txt: trace>"


def test_repr_of_a_job_shows_its_length() -> None:
    assert repr(allocsim.workload(JOB)) == "<Trace random: random, 90 events>"


def test_samples_are_a_structured_array() -> None:
    samples = allocsim.replay(JOB, every=30).samples
    assert samples.dtype == SAMPLE
    assert samples["event"].tolist() == [30, 60, 90]
    assert (
        samples["footprint"] == samples["heap"] - samples["released"] + samples["metadata"]
    ).all()


def test_replay_gives_a_profile_with_a_line_for_repr() -> None:
    profile = allocsim.replay(JOB, "tcmalloc", seed=9)
    assert isinstance(profile, allocsim.Profile)
    assert repr(profile).startswith("<Profile random on tcmalloc: 90 events, ")
    assert profile.call == f"allocsim.replay({JOB!r}, design='tcmalloc', seed=9)"


def test_limit_that_is_exceeded_is_an_error() -> None:
    with pytest.raises(LimitExceeded, match=r"limit of 64\.0 KiB"):
        allocsim.replay(JOB, limit="64KiB")


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "touch": (lambda: allocsim.replay(JOB, touch="all"), "touch is 'all' .* one of: none, first"),
    "threads": (lambda: allocsim.replay(JOB, threads="two"), "threads is 'two' .* recorded, one"),
    "limit": (lambda: allocsim.replay(JOB, limit=-1), "replay: limit is -1"),
    "limit of no machine": (
        lambda: allocsim.replay(JOB, limit=1 << 64),
        "limit is 18446744073",
    ),
    "process": (lambda: allocsim.open_trace("mine.txt", process="x"), "process is 'x'"),  # type: ignore[arg-type]
    "limit as text": (lambda: allocsim.replay(JOB, limit="much"), "replay: limit: .*'much'"),
    "every": (lambda: allocsim.replay(JOB, every=0), "every is 0; expected 1 to"),
    "check_every": (lambda: allocsim.replay(JOB, check_every=1.5), "check_every is 1.5"),  # type: ignore[arg-type]
    "reserve": (lambda: allocsim.replay(JOB, reserve=5), "reserve is 5 bytes"),
    "seed": (lambda: allocsim.replay(JOB, seed=-1), "seed is -1"),
    "seed of a recording": (lambda: allocsim.replay("mine.txt", seed=1), "no random seed"),
    "seed of a trace": (lambda: allocsim.replay(allocsim.workload(JOB), seed=1), "is already open"),
    "library": (lambda: allocsim.replay(JOB, "lib:glibc"), "'lib:glibc' is a library"),
    "parameter": (lambda: allocsim.replay(JOB, colour=1), "go2008 has no parameters"),
    "self": (lambda: allocsim.replay(JOB, self=1), "go2008 has no parameters"),
    "kind": (lambda: allocsim.workload({"ops": 5}), "a job needs a kind"),
    "format of keys": (lambda: allocsim.workload(JOB, format="aosp"), "format and process"),
    "job as a trace": (lambda: allocsim.open_trace("mine.toml"), "is a job, not a recording"),
    "subject": (lambda: allocsim.compare(JOB, on="go2007"), "unknown"),
    "no subject": (lambda: allocsim.compare(JOB, on=[]), "no allocator is named"),
    "subject twice": (lambda: allocsim.compare(JOB, on=["go2008", "go2008"]), "named twice"),
    "runs": (lambda: allocsim.compare(JOB, on="go2008", runs=0), "runs is 0; expected 1 to 1,000"),
    "reference": (lambda: allocsim.compare(JOB, on="go2008", reference="x"), "for reference"),
    "sort": (lambda: allocsim.compare(JOB, on="go2008", sort="x"), "column"),
}


@pytest.mark.parametrize(("call", "reason"), WRONG.values(), ids=WRONG)
def test_wrong_argument_is_an_input_error(call: Callable[[], object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        call()


@pytest.mark.parametrize(
    "wrong", [{"design": "x"}, {"design": "go", "x": 1}, {"reserve": 5}, {"limit": 5}], ids=str
)
def test_file_of_a_refused_replay_is_closed(wrong: dict[str, Any]) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(AllocsimError) as error:
        allocsim.replay("mine.txt", **wrong)
    assert error.tb  # keeps replay's local variables alive, so that no file is closed by chance
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_trace_of_a_refused_replay_can_be_replayed() -> None:
    trace = allocsim.open_trace("mine.txt")
    trace.reopen = None
    with pytest.raises(UnknownName):
        allocsim.replay(trace, "x")
    assert allocsim.replay(trace).events == 3


def test_unknown_workload_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'server'"):
        allocsim.workload("servr")


def test_workload_without_events_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="test has no events to measure"):
        allocsim.compare(trace_of(), on="go2008")


def test_comparison_is_what_compare_prints_and_gives_a_table_with_a_row_per_allocator() -> None:
    comparison = allocsim.compare(JOB, on=["go2008", "tcmalloc"], times=False, sort="footprint")
    shown = printed("compare mine.toml --on go2008,tcmalloc --runs 1 --warmup 0 --sort footprint")
    result = comparison.as_dict()
    assert list(result) == list(shown)
    for ours, theirs in zip(result["subjects"], shown["subjects"], strict=True):
        assert ours["subject"] == theirs["subject"]
        for figure in ("peak", "end", "kept", "peak_live", "counters"):
            assert ours["memory"][figure] == theirs["memory"][figure]
    assert result["workload"] | {"name": ""} == shown["workload"] | {"name": ""}
    assert result["command"] == (
        f"allocsim.compare({JOB!r}, on=['go2008', 'tcmalloc'], times=False, sort='footprint')"
    )
    table = comparison.table
    peaks = {row.subject: row.memory.peak for row in comparison.rows if row.memory}
    assert sorted(table["subject"].tolist()) == sorted(peaks) == ["go2008", "tcmalloc"]
    for row in table:
        assert row["footprint"] == peaks[str(row["subject"])]
    assert np.isnan(table["ns"]).all()
    assert repr(comparison).startswith("<Comparison random: tcmalloc ")


@pytest.mark.parametrize(
    "call",
    [
        lambda: allocsim.Heap(None),  # type: ignore[arg-type]
        lambda: allocsim.Heap(b"go2008"),  # type: ignore[arg-type]
        lambda: allocsim.replay({"kind": "random"}, design=5),  # type: ignore[arg-type]
        lambda: allocsim.compare({"kind": "random"}, on=[5]),  # type: ignore[list-item]
        lambda: allocsim.compare({"kind": "random"}, on=5),  # type: ignore[arg-type]
        lambda: allocsim.workload(None),  # type: ignore[arg-type]
        lambda: allocsim.workload(5),  # type: ignore[arg-type]
        lambda: allocsim.workload(b"random"),  # type: ignore[arg-type]
        lambda: allocsim.open_trace(b"mine.txt"),  # type: ignore[arg-type]
        lambda: allocsim.open_trace(None),  # type: ignore[arg-type]
        lambda: allocsim.open_trace("mine.txt", format=5),  # type: ignore[arg-type]
        lambda: allocsim.workload("mine.txt", format=5),  # type: ignore[arg-type]
        lambda: allocsim.compare({"kind": "random"}, on=np.array(5)),
        lambda: allocsim.compare({"kind": "random"}, on="go2008", sort=5),  # type: ignore[arg-type]
        lambda: allocsim.compare(
            {"kind": "random"},
            on="go2008",
            reference=5,  # type: ignore[arg-type]
        ),
    ],
)
def test_name_that_is_no_text_is_an_input_error(call: Any) -> None:
    with pytest.raises(InputError, match="expected a str"):
        call()
