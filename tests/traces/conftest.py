"""Fixtures for the readers: a function that writes a recording and reads it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from allocsim.events import Trace
from tests.traces.recordings import Event, read

Recorded = Callable[[bytes | str], tuple[list[Event], Trace]]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """A function that writes a recording in Android's format, and returns its events and trace."""

    def write_and_read(text: bytes | str) -> tuple[list[Event], Trace]:
        path = tmp_path / "trace.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(path, "aosp")

    return write_and_read
