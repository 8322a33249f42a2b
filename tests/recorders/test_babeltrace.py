"""Recordings that babeltrace2 prints: its messages become errors or losses."""

import subprocess
from pathlib import Path

import pytest

from allocsim.errors import TraceError
from allocsim.events import no_events
from allocsim.recorders import babeltrace


def printed(directory: Path, status: int, text: str, losses: list[str]) -> int:
    """Return how many events are read if babeltrace2 prints `text` and exits with `status`."""
    (directory / "messages").write_text(text)
    printing = subprocess.Popen(["sh", "-c", f"exit {status}"])
    chunks = iter([no_events(3), no_events(4)])
    passed = babeltrace._require_complete(chunks, losses, printing, directory / "messages")
    return sum(map(len, passed))


def test_discarded_events_become_a_loss(tmp_path: Path) -> None:
    losses: list[str] = []
    warning = "WARNING: Tracer discarded 5 events between\nWARNING: Tracer discarded 1000 events"
    assert printed(tmp_path, 0, warning, losses) == 7
    assert losses == ["the tracer discarded 1,005 events"]


def test_failure_of_babeltrace2_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="babeltrace2 cannot print the recording: no stream"):
        printed(tmp_path, 1, "no stream\n", [])


def test_complete_recording_has_no_loss(tmp_path: Path) -> None:
    losses: list[str] = []
    assert printed(tmp_path, 0, "", losses) == 7
    assert losses == []
