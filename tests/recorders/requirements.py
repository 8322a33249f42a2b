"""Recorders that are installed, and LTTng one recording at a time where it cannot be private."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from allocsim.recorders import RECORDERS
from allocsim.recorders.lttng_daemon import can_mount
from allocsim.recorders.program import find_program


def require(name: str, *program: str) -> None:
    """Skip the test where a recorder cannot record a program."""
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    (recorder,) = [recorder for recorder in RECORDERS if recorder.name == name]
    reason = recorder.missing(find_program(program))
    if reason is not None:
        pytest.skip(reason)


@contextmanager
def one_recording_at_a_time() -> Iterator[None]:
    """Wait for other tests' recordings where root cannot give LTTng a directory of its own."""
    if os.geteuid() != 0 or can_mount():
        yield
        return
    with (Path(tempfile.gettempdir()) / "allocsim-tests-lttng.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released by the kernel when this process ends
        yield
