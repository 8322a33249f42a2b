"""What a recorder is, and what all of them need: a place, a command's answer, a trace to read.

Below the recorders. Its one rule: what a recorder writes goes into the workplace, and that is
removed however the run ends.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from allocsim.errors import EnvironmentLacks
from allocsim.events import Trace
from allocsim.recorders.program import Ended, Program
from allocsim.signals import undone
from allocsim.traces import open_trace


class CannotBegin(EnvironmentLacks):
    """The recorder is here but does not work; the program has not been run."""


@dataclass(frozen=True)
class Recorder:
    """A way to record a program's malloc calls."""

    name: str
    why: str
    """What it sees and what it costs, in a line for the user."""
    install: str
    """The command that installs it on Debian."""
    lacks: Callable[[Program], str | None]
    """What is missing to record this program, with the way out; None if nothing is."""
    run: Callable[[Program, Path], Ended]
    """Run the program and record it into a workplace; CannotBegin if it was not run."""
    read: Callable[[Path, Ended], AbstractContextManager[Trace]]
    """The trace of what was recorded into a workplace."""
    blind_to: str = "static and set-uid programs, and those with an allocator of their own"
    """What it records nothing of."""


@contextmanager
def workplace() -> Iterator[Path]:
    """A temporary directory of this user alone."""
    place = Path(tempfile.gettempdir()) / f"allocsim-{secrets.token_hex(4)}"

    def remove() -> None:
        """Remove the directory and all in it."""
        shutil.rmtree(place, ignore_errors=True)

    with undone(remove):
        try:
            place.mkdir(0o700)
        except OSError as error:
            raise EnvironmentLacks(f"cannot make '{place}': {error.strerror}") from error
        try:
            yield place
        finally:
            remove()


@contextmanager
def recorded(path: Path) -> Iterator[Trace]:
    """The trace in a file that a recorder has left; an empty one if it has left none."""
    if path.exists() and path.stat().st_size:
        yield open_trace(str(path))
    else:
        yield Trace(str(path), iter(()), {"kind": "trace"})


def answer(
    *command: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and keep what it says."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=env
    )
