"""Fixtures: libraries compiled from C, and files of events for child processes."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from allocsim.benchmark.event_file import EventFile, write_events
from allocsim.events import Trace

HERE = Path(__file__).parent / "libraries"
WAYS = (
    *("nothing", "abort", "hang", "kill", "refuse", "grow", "leave"),
    *("fork-and-hang", "segfault", "chatter", "garbage", "forge", "real-time", "spin", "tamper"),
    *("same", "overlap", "misaligned", "misaligned-memalign", "scribble", "forget"),
)
"""The ways in which a library can misbehave, in the order of odd_malloc.c."""

Compiler = Callable[..., Path]


@pytest.fixture(scope="session")
def compiler() -> str:
    """The C compiler of this machine."""
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        pytest.skip("no C compiler is installed: apt install gcc")
    return found


@pytest.fixture
def odd_library(compiler: str, tmp_path: Path) -> Compiler:
    """A function that compiles a library that misbehaves in a given way after some calls."""

    def make(way: str, calls: int = 20) -> Path:
        path = tmp_path / f"lib{way}.so"
        options = [f"-DWAY={WAYS.index(way)}", f"-DCALLS={calls}", "-shared", "-fPIC", "-O1"]
        source = str(HERE / "odd_malloc.c")
        subprocess.run([compiler, *options, "-o", str(path), source], check=True)
        return path

    return make


@pytest.fixture
def event_file() -> Iterator[Callable[..., EventFile]]:
    """A function that writes arrays of events into a file, which is closed after the test."""
    made: list[EventFile] = []

    def put(*chunks: Any) -> EventFile:
        made.append(write_events(Trace("a workload", iter(chunks), {"kind": "test"})))
        return made[-1]

    yield put
    for each in made:
        each.close()
