"""Run `allocsim record` in an empty directory, and check that it leaves no files or daemons."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import ENVIRONMENT, Ended, command
from tests.recorders.requirements import one_recording_at_a_time

TIMEOUT = 1200.0
"""Seconds after which a run counts as hung. A run compiles kernels, perhaps on a busy machine."""


@dataclass(frozen=True)
class Record:
    """Runs `allocsim record` in `place`, with `temporary` as its temporary directory."""

    place: Path
    temporary: Path
    """A short path, because LTTng's sockets are below it: a socket's path has at most 107 bytes."""

    @property
    def environment(self) -> dict[str, str]:
        return ENVIRONMENT | {"TMPDIR": str(self.temporary)}

    def require_clean(self) -> None:
        """Require that no file and no daemon of a recording remains."""
        assert list(self.temporary.iterdir()) == [], "files remain"
        assert daemons_of(str(self.temporary)) == [], "a daemon is still running"

    def __call__(self, *arguments: str, **options: Any) -> Ended:
        given: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "env": self.environment,
            "timeout": TIMEOUT,
        } | options
        child = subprocess.run(
            command("record", *arguments), capture_output=True, cwd=self.place, check=False, **given
        )
        self.require_clean()
        return Ended(child.returncode, os.fsdecode(child.stdout), os.fsdecode(child.stderr))


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    """Run `allocsim record` in tmp_path/place."""
    with recording(tmp_path / "place") as call:
        yield call


@contextmanager
def recording(place: Path) -> Iterator[Record]:
    """Yield a Record that runs `allocsim record` in `place`, a new directory."""
    place.mkdir()
    short = tempfile.TemporaryDirectory(prefix="rec-", dir="/tmp")
    with one_recording_at_a_time(), short as temporary:
        yield Record(place, Path(temporary))


def daemons_of(place: str) -> list[str]:
    """The processes whose environment names a work directory below `place`."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environment = (directory / "environ").read_bytes()
        except OSError:
            continue
        if f"LTTNG_HOME={place}".encode() in environment:
            found.append(directory.name)
    return found
