"""Progress, which is shown on a terminal and not on a pipe."""

import json
import os
import pty
import subprocess
from typing import Any

import pytest

from allocsim.cli import progress
from allocsim.cli.progress import _share, progress_bar
from allocsim.events import Trace
from tests.cli.running import ENVIRONMENT, PATIENCE, command, read_until


class FakePlayer:
    """A player whose number of events is fixed."""

    def __init__(self, events: int) -> None:
        self.events = events


def trace_of(length: int | None, share: float | None = None) -> Trace:
    found = Trace("mine", iter(()), {}, length)
    found.progress = None if share is None else lambda: share
    return found


@pytest.mark.parametrize(
    ("trace", "share"),
    [
        (trace_of(200), 0.25),
        (trace_of(None, 0.7), 0.7),
        (trace_of(200, 0.7), 0.25),
        (trace_of(None), 0.0),
    ],
    ids=["length", "input", "both", "neither"],
)
def test_share_is_of_the_length_or_of_the_input(trace: Trace, share: float) -> None:
    assert _share(trace, FakePlayer(50)) == share


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A list with one element: the time that the bar reads from its clock."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def watched(clock: list[float], times: list[float]) -> list[float]:
    """The times at which the bar was refreshed."""
    shown: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress.Progress, "refresh", lambda _: shown.append(clock[0]))
        patch.setattr(progress.Progress, "start", lambda _: None)
        with progress_bar(trace_of(1000)) as watch:
            for moment in times:
                clock[0] = moment
                watch(FakePlayer(10))
    return [moment for moment in shown if moment in times]


def test_short_run_shows_no_bar(clock: list[float]) -> None:
    assert watched(clock, [100.1, 100.5, 100.99]) == []


def test_bar_appears_after_a_second_and_is_refreshed_ten_times_a_second(clock: list[float]) -> None:
    times = [100.9, 101.0, 101.05, 101.11, 101.15, 101.3]
    assert set(watched(clock, times)) == {101.0, 101.11, 101.3}


def test_bar_is_stopped_when_the_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[Any] = []
    monkeypatch.setattr(progress.Progress, "stop", lambda bar: stopped.append(bar))

    def failing() -> None:
        with progress_bar(trace_of(1000)):
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert len(stopped) == 1


def on_terminal(*arguments: str) -> tuple[int, bytes, bytes]:
    """Run with a terminal for stderr; return the status, stdout and the terminal's output."""
    terminal, end = pty.openpty()
    child = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=end,
        env={**ENVIRONMENT, "TERM": "xterm-256color"},
    )
    os.close(end)
    shown = read_until(terminal, None)
    os.close(terminal)
    assert child.stdout is not None
    out = child.stdout.read()
    child.stdout.close()
    return child.wait(PATIENCE), out, shown


def test_progress_on_a_terminal_leaves_stdout_alone() -> None:
    status, out, shown = on_terminal("random", "--ops", "1000", "--every", "500", "--json")
    assert status == 0
    assert json.loads(out)["events"] == 1000
    assert b"schema" not in shown


def test_error_on_a_terminal_is_one_line() -> None:
    status, out, shown = on_terminal("random", "--ops", "1000", "--limit", "1K")
    assert (status, out) == (1, b"")
    assert b"allocsim: error: the footprint" in shown
    assert b"Traceback" not in shown


def test_trace_that_is_watched_gives_its_chunks_and_shows_them(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[float] = []
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        progress.Progress, "refresh", lambda bar: shown.append(bar.tasks[0].completed)
    )
    monkeypatch.setattr(progress.Progress, "start", lambda _: None)
    trace = trace_of(4)
    trace.chunks = iter([[1, 2], [3, 4]])
    with progress.watched(trace):
        for chunk in trace.chunks:
            clock[0] += 2.0
            assert chunk
    assert shown[:3] == [0.0, 0.5, 1.0]


def test_trace_is_not_watched_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)
    trace = trace_of(4)
    chunks = trace.chunks
    with progress.watched(trace):
        assert trace.chunks is chunks


def test_name_is_no_markup(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    trace = trace_of(1000)
    trace.name = "a[/b]"
    with progress_bar(trace) as watch:
        clock[0] += 10
        watch(FakePlayer(500))
    assert "a[/b]" in capsys.readouterr().err
