"""The interface of a recorder, and code that recorders share: a work directory, opening a file.

A recorder writes only into the work directory, which is removed however the run ends.
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
from allocsim.recorders.program import Outcome, Program
from allocsim.signals import on_interrupt
from allocsim.traces import open_trace


class RecorderFailed(EnvironmentLacks):
    """The recorder is installed but does not work; the program was not run."""


@dataclass(frozen=True)
class Recorder:
    """A way to record a program's malloc calls."""

    name: str
    summary: str
    """One line for the user: the calls that the recorder records, and its cost."""
    install: str
    """The command that installs it on Debian."""
    missing: Callable[[Program], str | None]
    """Returns why the recorder cannot record a program, with the remedy, or None if it can."""
    run: Callable[[Program, Path], Outcome]
    """Runs the program, recording into a directory; raises RecorderFailed if it was not run."""
    read: Callable[[Path, Outcome], AbstractContextManager[Trace]]
    """Opens the trace recorded into a work directory."""
    blind_to: str = "static and set-uid programs, and those with an allocator of their own"
    """Programs for which the recorder records nothing."""


@contextmanager
def work_directory() -> Iterator[Path]:
    """Create a temporary directory, readable by this user only; remove it after the block."""
    directory = Path(tempfile.gettempdir()) / f"allocsim-{secrets.token_hex(4)}"

    def remove() -> None:
        """Remove the directory and its contents."""
        shutil.rmtree(directory, ignore_errors=True)

    with on_interrupt(remove):
        try:
            directory.mkdir(0o700)
        except OSError as error:
            raise EnvironmentLacks(f"cannot create '{directory}': {error.strerror}") from error
        try:
            yield directory
        finally:
            remove()


@contextmanager
def open_recording(path: Path) -> Iterator[Trace]:
    """Open the file that a recorder wrote, or an empty trace if it wrote none."""
    if path.exists() and path.stat().st_size:
        yield open_trace(str(path))
    else:
        yield Trace(str(path), iter(()), {"kind": "trace"})


def reads_file(name: str) -> Callable[[Path, Outcome], AbstractContextManager[Trace]]:
    """Make a Recorder.read that opens the file of that name in the work directory."""
    return lambda directory, _: open_recording(directory / name)


def run_command(
    *command: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without input and return its exit status and output."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=env
    )
