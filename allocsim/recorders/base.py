"""The interface of a recorder, and code that recorders share: a work directory, opening a file.

A `Recorder` declares what the recorder can record, and names the functions that run it. `recording`
reports to the user what the recorder cannot record, and notes this in the trace. During a run, a
recorder writes only into the work directory, which is always removed.
"""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from errno import EFBIG
from pathlib import Path
from typing import NamedTuple

from allocsim.capabilities import Capabilities
from allocsim.errors import EnvironmentLacks
from allocsim.events import Trace
from allocsim.recorders.program import Outcome, Program, Runner, run_program
from allocsim.signals import SignalsDeferred
from allocsim.temporary_directory import temporary_directory
from allocsim.tool_run import run_tool
from allocsim.traces import open_trace


class RecorderFailed(EnvironmentLacks):
    """The recorder is installed but does not work; the program was not run."""


class LiveFigures(NamedTuple):
    """Figures of one moment of a running program."""

    seconds: float
    """Time since the program was started."""
    resident: int
    """Anonymous RSS in bytes."""
    live: int
    """Live bytes."""
    objects: int
    """Live objects."""
    events: int
    """Events so far."""


LiveView = Callable[[], AbstractContextManager[Callable[[LiveFigures], None]]]
"""Returns a context manager, which provides a function. Each call of this function shows new
figures in place of the previous ones."""


@dataclass(frozen=True)
class Request:
    """The program that the user wants to record, and the options for the recorder."""

    program: Program
    children: bool = False
    """Also record the processes that the program starts."""
    python_allocators: bool = False
    """Also record Python's own allocators."""
    wait: bool = False
    """Record until the processes that the program started have ended too."""
    sites: bool = False
    """Also record the stack of each call that allocates."""
    live: LiveView | None = None
    """Shows figures of the program once a second while it runs, or None to show none."""
    runner: Runner = run_program
    """The function with which the recorder `preload` runs the program."""


Read = Callable[[Path, Outcome], AbstractContextManager[Trace]]
"""Opens the trace of the process `Outcome.process`, from the recording in a work directory."""


def suits_every_program(_: Request) -> str | None:
    """Return None, which means that the recorder can record the program."""
    return None


def process_id(_: Path, process: int) -> str:
    """Return the process id as text."""
    return str(process)


def no_losses(_: Path, __: Outcome) -> list[str]:
    """Return no losses, for a recorder that does not detect them."""
    return []


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """A way to record a program's malloc calls."""

    name: str
    summary: str
    """One line for the user: the calls that are recorded, and how much slower the program runs."""
    install: str
    """The command that installs the recorder on Debian."""
    capabilities: Capabilities
    """The aspects of a program that the recorder can see. The trace stores them."""
    missing: Callable[[Request], str | None]
    """Returns what is missing on this machine, with the remedy, or None if nothing is missing."""
    run: Callable[[Request, Path], Outcome]
    """Runs the program and records it into the work directory. Raises RecorderFailed if the program
    was not run."""
    read: Read
    """Opens the trace of the process `Outcome.process`, from the recording in the work
    directory."""
    unsuited: Callable[[Request], str | None] = suits_every_program
    """Returns why the recorder cannot record this program, or None if it can."""
    losses: Callable[[Path, Outcome], list[str]] = no_losses
    """Returns a sentence on each kind of calls that the recorder lost in a run. The trace stores
    the sentences."""
    label: Callable[[Path, int], str] = process_id
    """Returns a text that identifies a process of the recording. The text becomes part of the name
    of that process's trace."""
    blind_to: str = "static and set-uid programs, and those with their own allocator"
    """Programs for which the recorder records nothing."""
    records_children: bool = False
    """Whether the recorder also records the processes that the program starts (--children)."""
    keeps_inherited: bool = False
    """Whether the trace of a forked process begins with the objects that it inherited."""
    waits_for_children: bool = False
    """Whether the recorder can go on recording processes that outlive the program (--wait)."""
    shows_live: bool = False
    """Whether the recording can be read while the program runs (--live)."""
    read_with_sites: Read | None = None
    """Opens the trace with its call sites. None if `read` does this already, or if the recorder
    records no call sites."""
    records_sites: bool = False
    """Whether the recorder can record the stacks of the calls (--sites)."""
    has_callers_only: bool = False
    """Whether the recorder records only the caller of each call, not its stack."""
    is_guarded: bool = False
    """Whether the recorder runs with the guard (see `guard`), which needs a C compiler."""
    follows_exec: bool = True
    """Whether the recording goes on when the program executes another program."""
    keeps_last_calls: bool = True
    """Whether the last calls are in the recording if a signal kills the program."""
    own_memory: int | None = None
    """Bytes of anonymous memory that the recorder adds to the process. None if the recorder keeps
    data for every call. The bytes are then unknown, and so are the program's own figures
    (ProgramRun)."""
    sees_python_objects: bool = False
    """Whether the recorder can record Python's small objects, which Python allocates in pools."""


ROOM = 1 << 20
"""Bytes that must be free for the files of a recorder: its libraries, and the first events."""


@contextmanager
def work_directory() -> Iterator[Path]:
    """Create a temporary directory, readable by this user only; remove it after the block.

    Raises EnvironmentLacks if it cannot be created, or if it has no room for ROOM bytes.
    """
    with ExitStack() as stack:
        try:
            directory = stack.enter_context(temporary_directory())
        except OSError as error:
            message = f"cannot create '{error.filename}': {error.strerror}"
            if (
                error.filename is None
            ):  # no directory is usable; strerror lists those that were tried
                message = f"{error.strerror}; set TMPDIR to another directory"
            raise EnvironmentLacks(message) from error
        _require_room(directory)
        yield directory


def _require_room(directory: Path) -> None:
    """Raise EnvironmentLacks if the directory has no room for ROOM bytes."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)
    except OSError as error:
        is_limit = error.errno == EFBIG
        remedy = "raise the limit (ulimit -f)" if is_limit else "set TMPDIR to another directory"
        message = f"cannot write in '{directory.parent}': {error.strerror}; {remedy}"
        raise EnvironmentLacks(message) from error


@contextmanager
def open_recording(path: Path, sites: bool = False) -> Iterator[Trace]:
    """Open the file that a recorder wrote, or an empty trace if it wrote none.

    With `sites`, the trace has its call sites.
    """
    if path.exists() and path.stat().st_size:
        yield open_trace(str(path), sites=sites)
    else:
        yield Trace(str(path), iter(()), {"kind": "trace"})


def reads_file(name: str, sites: bool = False) -> Read:
    """Return a function for Recorder.read that opens the file `name` in the work directory."""
    return lambda directory, _: open_recording(directory / name, sites)


def run_command(
    *command: str | Path, env: Mapping[str, str] | None = None, directory: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without input, in `directory` if given; return its exit status and output."""
    ended = run_tool(command, env, directory=directory)
    output, errors = (text.decode(errors="replace") for text in (ended.stdout, ended.stderr))
    return subprocess.CompletedProcess(ended.args, ended.returncode, output, errors)


def shared_library(name: str) -> str | None:
    """Return the file name of a shared library that the loader would find, or None.

    For a library that is not installed, ctypes runs the C compiler with a temporary file. If a
    signal ended this process meanwhile, the file would remain.
    """
    with SignalsDeferred():
        return ctypes.util.find_library(name)
