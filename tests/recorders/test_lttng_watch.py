"""The watch over an LTTng session: if events cannot be written, the program continues."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from allocsim.recorders import lttng_watch
from allocsim.recorders.base import RecorderFailed
from allocsim.recorders.lttng_watch import MIN_FREE, watch_losses, watched_session
from tests.recorders.conftest import TIMEOUT


def nothing() -> None:
    """Do nothing, where a recorder would stop its session."""


PARENT = """
import subprocess, sys
child = subprocess.Popen(["sleep", "9999"])
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_session_is_stopped_when_the_disk_is_nearly_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = iter([MIN_FREE, MIN_FREE, MIN_FREE - 1])
    monkeypatch.setattr(lttng_watch, "_free_bytes", lambda _: next(free))
    stopped = threading.Event()
    with watched_session(tmp_path, None, stopped.set):
        assert stopped.wait(TIMEOUT)
    (loss,) = watch_losses(tmp_path)
    assert loss.startswith("the directory for temporary files was nearly full (set TMPDIR")


def test_session_does_not_start_on_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lttng_watch, "_free_bytes", lambda _: 1 << 20)
    message = r"has 1\.0 MiB free, and a recording needs at least 96\.0 MiB; set TMPDIR"
    with pytest.raises(RecorderFailed, match=message), watched_session(tmp_path, None, nothing):
        pass


def test_daemon_that_loses_its_consumer_is_killed(tmp_path: Path) -> None:
    """The program continues, because its connection to the daemon ends with the daemon."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        consumer = int(daemon.stdout.readline())
        with watched_session(tmp_path, daemon.pid, nothing):
            os.kill(consumer, signal.SIGKILL)
            assert daemon.wait(TIMEOUT) == -signal.SIGKILL
    (loss,) = watch_losses(tmp_path)
    assert loss.startswith("the tracer's daemon died, so the recording was stopped")


def test_session_that_goes_well_has_no_loss(tmp_path: Path) -> None:
    with watched_session(tmp_path, os.getpid(), nothing):
        pass
    assert watch_losses(tmp_path) == []


def test_process_whose_name_is_no_utf_8_is_alive() -> None:
    name = Path("/proc/self/comm")
    before = name.read_bytes()
    try:
        name.write_bytes(b"\xff) Z")
        assert lttng_watch._is_alive("self")
    finally:
        name.write_bytes(before.rstrip(b"\n"))
