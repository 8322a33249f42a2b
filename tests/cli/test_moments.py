"""The moments of a run, and `--at`, which shows the heap at one of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from allocsim.events import Op, Trace
from allocsim.moments import NAMES
from allocsim.traces.native.file import write_trace
from tests.cli.conftest import Run
from tests.driving import free, malloc, stream
from tests.pipes import filled_pipe

JOB = "random --ops 60 --slots 20"


def result(run: Run, line: str) -> Any:
    """Return the JSON object that a command prints."""
    ended = run(f"{line} --json")
    assert ended.status == 0, ended.err
    return json.loads(ended.out)


def test_json_has_the_moments(run: Run) -> None:
    found = result(run, JOB)
    assert [moment["name"] for moment in found["moments"]] == list(NAMES)
    peak, end = found["moments"][0], found["moments"][3]
    assert peak["footprint"] == found["at_peak"]["footprint"]
    assert end["live"] == found["at_end"]["parts"]["live"]
    assert "at_moment" not in found


@pytest.mark.parametrize("at", ["peak", "live-peak", "worst", "end"])
def test_heap_at_a_moment_has_the_footprint_of_that_moment(run: Run, at: str) -> None:
    found = result(run, f"{JOB} --design tcmalloc --at {at}")
    moment = next(each for each in found["moments"] if each["name"] == at)
    shown = found["at_moment"]
    assert shown["event"] == moment["event"]
    assert (shown["footprint"], shown["parts"]["live"]) == (moment["footprint"], moment["live"])


def test_heap_after_an_event_and_its_classes_are_shown(run: Run) -> None:
    ended = run(f"{JOB} --at 7 --classes")
    assert ended.status == 0
    assert "after 7" in ended.out
    rows = ended.out.split("share in use")[1].splitlines()
    in_use = [int(row.split()[3]) for row in rows if row[:6].strip().isdigit()]
    assert 1 <= sum(in_use) <= 7


@pytest.mark.parametrize("at", ["mean", "61", "soon", "-1"])
def test_invalid_moment_is_a_usage_error(run: Run, at: str) -> None:
    ended = run(f"{JOB} --at {at}")
    assert ended.status == 2
    assert at in ended.err


def test_standard_input_cannot_be_read_twice(
    run: Run, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with text.open("rb") as file:
        monkeypatch.setattr("sys.stdin", file)
        ended = run("replay - --at worst")
    assert ended.status == 2
    assert "only once" in ended.err


def test_pipe_cannot_be_read_twice(run: Run, text: Path) -> None:
    with filled_pipe(text.read_bytes()) as path:
        ended = run(f"replay {path} --at worst")
    assert ended.status == 2
    assert "only once" in ended.err


def test_time_counts_calls_and_no_notes(run: Run, tmp_path: Path) -> None:
    """The first second has two calls and the end of a thread, which is not counted as an event."""
    events = stream(malloc(0, 8), malloc(0, 8), malloc(1, 16), free(0), free(1))
    events.op[0], events.request[0] = Op.THREAD_DONE, 0
    source = {"kind": "trace", "times": [[0, 0], [3, 10**9], [5, 2 * 10**9]]}
    write_trace(Trace("t", iter([events]), source), tmp_path / "t.allocsim")
    replayed = result(run, "replay t.allocsim --at 1s")
    explained = result(run, "explain t.allocsim --on glibc --at 1s --no-what-if")
    assert (replayed["at_moment"]["event"], explained["moment"]["event"]) == (2, 2)
    assert explained["moment"]["live"] == replayed["at_moment"]["parts"]["live"] == 24
