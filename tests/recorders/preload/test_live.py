"""Figures of a program that is still running."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from allocsim.recorders.base import LiveFigures
from allocsim.recorders.preload.clock import TickClock, is_tsc_trusted
from allocsim.recorders.preload.live import LiveWatch

DEADLINE = 600.0
"""Seconds after which the figures count as missing. The machine may be busy."""


@pytest.fixture
def waiting(tmp_path: Path, library: Path, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A recorded program that holds 100 objects of 1,000 bytes, and waits for its input to end."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "ALLOCSIM_RECORD": str(tmp_path),
    }
    if is_tsc_trusted():
        environment["ALLOCSIM_RECORD_TSC"] = "1"
    child = subprocess.Popen((program, "waits"), stdin=subprocess.PIPE, env=environment)
    with child:
        yield child


def test_figures_are_of_the_running_program(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    library: Path,
    waiting: subprocess.Popen[bytes],
) -> None:
    monkeypatch.setattr(LiveWatch, "INTERVAL", 0.01)
    monkeypatch.setattr(LiveWatch, "SETTLE", 0.005)
    shown: list[LiveFigures] = []

    @contextmanager
    def view() -> Iterator[Callable[[LiveFigures], None]]:
        yield shown.append

    begun = time.monotonic()
    with LiveWatch(tmp_path, TickClock(library), view).watching(waiting.pid):
        while not (shown and shown[-1].objects == 100):
            assert time.monotonic() < begun + DEADLINE, shown[-1:]
            time.sleep(0.01)
    last = shown[-1]
    assert (last.live, last.events) == (100_000, 100)
    assert 100_000 < last.resident < 10 << 20
    assert waiting.poll() is None
