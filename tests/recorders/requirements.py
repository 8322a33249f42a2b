"""Requirements of a test: a recorder, a compiler, no other recording by LTTng at the same time."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from allocsim.recorders import RECORDERS
from allocsim.recorders.base import Request
from allocsim.recorders.lttng_daemon import can_mount
from allocsim.recorders.program import find_program


def require(name: str, *program: str) -> None:
    """Skip the test if a recorder cannot record a program on this machine."""
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    (recorder,) = [recorder for recorder in RECORDERS if recorder.name == name]
    request = Request(find_program(program))
    reason = recorder.unsuited(request) or recorder.missing(request)
    if reason is not None:
        pytest.skip(reason)


@contextmanager
def one_recording_at_a_time() -> Iterator[None]:
    """Wait for the recordings of other tests if root cannot give LTTng a directory of its own."""
    if os.geteuid() != 0 or can_mount():
        yield
        return
    with (Path(tempfile.gettempdir()) / "allocsim-tests-lttng.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released by the kernel when this process ends
        yield


def compiled(place: Path, name: str, source: str, *options: str, language: str = "c") -> Path:
    """Compile C or C++ source into the file `name`; skip the test if this machine cannot do it."""
    compiler = "cc" if language == "c" else "c++"
    if shutil.which(compiler) is None:
        pytest.skip(f"no compiler is installed: {compiler}")
    command = (compiler, "-x", language, "-", "-x", "none", *options, "-o", str(place / name))
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "-static" in options:
        pytest.skip("the compiler cannot link statically")
    assert done.returncode == 0, done.stderr
    return place / name
