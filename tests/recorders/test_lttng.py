"""LTTng: the messages of babeltrace2, and recordings that run at the same time."""

import os
import subprocess
from pathlib import Path

import pytest

from allocsim.errors import TraceError
from allocsim.events import no_events
from allocsim.recorders import lttng, lttng_daemon
from allocsim.recorders.base import RecorderFailed, work_directory
from allocsim.recorders.lttng_daemon import can_mount, running_daemon, tracing_session
from tests.recorders.requirements import require


def printed(directory: Path, status: int, text: str, notes: list[str]) -> int:
    """Count the events read from a babeltrace2 that ends with a status and messages."""
    (directory / "messages").write_text(text)
    printing = subprocess.Popen(["sh", "-c", f"exit {status}"])
    chunks = iter([no_events(3), no_events(4)])
    passed = lttng._require_complete(chunks, notes, printing, directory / "messages")
    return sum(map(len, passed))


def test_discarded_events_become_a_note(tmp_path: Path) -> None:
    notes: list[str] = []
    warning = "WARNING: Tracer discarded 5 events between\nWARNING: Tracer discarded 1000 events"
    assert printed(tmp_path, 0, warning, notes) == 7
    assert notes == ["the tracer discarded 1,005 events: the trace is incomplete"]


def test_failure_of_babeltrace2_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="babeltrace2 cannot print the recording: no stream"):
        printed(tmp_path, 1, "no stream\n", [])


def test_complete_recording_has_no_note(tmp_path: Path) -> None:
    notes: list[str] = []
    assert printed(tmp_path, 0, "", notes) == 7
    assert notes == []


def sessions(daemon: lttng_daemon.Daemon) -> str:
    return daemon.call("list").stdout


def test_two_daemons_run_side_by_side() -> None:
    """Neither sees the other's session, and the end of one leaves the other running."""
    require("lttng", "true")
    if os.geteuid() == 0 and not can_mount():
        pytest.skip("root may not mount, so LTTng serves one recording at a time")
    with (
        work_directory() as first,
        work_directory() as second,
        running_daemon(first) as one,
        tracing_session(first, one),
    ):
        with running_daemon(second) as other:
            assert "allocsim-" in sessions(one)
            assert "allocsim-" not in sessions(other)
        assert not other.answers()
        assert one.answers()


def test_directory_with_a_long_path_is_an_error(tmp_path: Path) -> None:
    message = r"is too long a path for its sockets; set TMPDIR to a shorter one"
    with pytest.raises(RecorderFailed, match=message), running_daemon(tmp_path / ("x" * 80)):
        pass


def test_daemon_that_does_not_start_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its messages are part of the error."""
    tool = tmp_path / "lttng-sessiond"
    tool.write_text("#!/bin/sh\necho no room >&2; exit 1\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(lttng_daemon.Daemon, "answers", lambda _: False)
    monkeypatch.setattr(lttng_daemon, "LOCK", f"\0allocsim-test-{os.getpid()}")
    message = "lttng-sessiond, does not start: no room"
    with (
        work_directory() as directory,
        pytest.raises(RecorderFailed, match=message),
        running_daemon(directory),
    ):
        pass


def test_root_that_cannot_mount_records_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(lttng_daemon, "can_mount", lambda: False)
    monkeypatch.setattr(lttng_daemon, "LOCK", f"\0allocsim-test-{os.getpid()}")
    monkeypatch.setattr(lttng_daemon.Daemon, "answers", lambda _: True)
    message = "another recording by root is running"
    with work_directory() as directory, running_daemon(directory) as daemon:
        assert daemon.prefix == ()
        with pytest.raises(RecorderFailed, match=message), running_daemon(directory):
            pass
