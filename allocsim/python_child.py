"""Start, watch and end child processes. Most of them run a module of allocsim.

A Python child imports nothing from the current directory. The standard input of a child is empty
unless the caller provides one. Each child runs in its own session, so that it can be killed
together with the processes that it has started.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from allocsim.signals import SignalsDeferred, on_interrupt, signal_name

MAX_OUTPUT = 1 << 20
"""Maximum bytes of output of a child, because a library or a design may print without end."""

POLL_INTERVAL = 0.05
"""Seconds between two checks of a child."""

PR_SET_PDEATHSIG = 1
"""Linux's number of the prctl option that requests a signal when the parent ends."""

_TALKING = {
    *("PYTHONDEVMODE", "PYTHONFAULTHANDLER", "PYTHONINSPECT", "PYTHONMALLOCSTATS"),
    *("PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE", "PYTHONWARNINGS"),
}
"""Environment variables that children do not get. With PYTHONINSPECT, Python goes on after an
error, reads standard input and ends with status 0. PYTHONWARNINGS can make a library's warning an
error. With the other variables, Python writes more to standard error, whose last line is reported
as the reason of a failure."""

_BEGIN = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "from allocsim.python_child import die_with_parent; die_with_parent(int(sys.argv.pop(1))); "
)
"""First statements of a child's program. They extend sys.path and make the child end with its
parent."""

_RUN_MODULE = _BEGIN + (
    "from allocsim.numba_settings import guard_numba; guard_numba(lambda _: None); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)
"""Program of a child that runs a module. The child ignores bad variables of Numba, because the
parent has warned of them."""

_RUN_FILE = _BEGIN + "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
"""Program of a child that runs a file."""


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of allocsim in a child of this process.

    `python -m` is not used, because it puts the current directory first on sys.path, and a file
    msgspec.py next to a downloaded trace would be imported. -P leaves the current directory out,
    and the directory that contains this package is added at the end.
    """
    return _command(_RUN_MODULE, module, *arguments)


def script_command(path: str, *arguments: str) -> list[str]:
    """Return the command that runs a Python file in a child of this process.

    The child starts faster than that of `module_command`, because the packages that contain the
    file are not imported.
    """
    return _command(_RUN_FILE, path, *arguments)


def _command(program: str, *arguments: str) -> list[str]:
    """Return the command that runs one of the programs of a child."""
    root = str(Path(__file__).parents[1])
    return [sys.executable, "-P", "-c", program, root, str(os.getpid()), *arguments]


@contextlib.contextmanager
def running(
    command: Sequence[str | bytes | Path], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child during a block; `options` are those of Popen.

    The child does not get the variables _TALKING. At the end of the block, or if a signal ends this
    process, all processes that are left in the child's process group are killed, and the child is
    reaped.
    """
    arguments: dict[str, Any] = {"stdin": subprocess.DEVNULL, "env": os.environ} | options
    environment = arguments.pop("env").items()
    arguments["env"] = {name: value for name, value in environment if name not in _TALKING}
    started: list[subprocess.Popen[bytes]] = []
    with on_interrupt(lambda: _kill_all(started, os.WEXITED)):
        try:
            with SignalsDeferred():  # a signal takes effect only after the child is in the list
                started.append(subprocess.Popen(command, start_new_session=True, **arguments))
            yield started[0]
        finally:
            _kill_all(started, os.WEXITED | os.WNOWAIT)
            for child in started:
                child.wait()


def _kill_all(children: list[subprocess.Popen[bytes]], awaited: int) -> None:
    """Kill the processes that are left in each child's process group, and wait for the child.

    `awaited` is the argument of waitid(2): with os.WNOWAIT, the child is not reaped. `child.wait()`
    is not called, because it takes a lock: a signal handler that has interrupted such a call would
    wait forever.
    """
    for child in children:
        if child.returncode is None:  # not reaped yet, so no other process can have its id
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.killpg(child.pid, signal.SIGKILL)
                os.waitid(os.P_PID, child.pid, awaited)


def die_with_parent(parent: int) -> None:
    """In a child: kill this process when its parent, which has the id `parent`, ends in any way."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # the parent ended before prctl, which then sends no signal
        signal.raise_signal(signal.SIGKILL)


def limit_output() -> None:
    """In a child: make a write fail with EFBIG if the file would exceed MAX_OUTPUT bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    maximum = MAX_OUTPUT if allowed == resource.RLIM_INFINITY else min(MAX_OUTPUT, allowed)
    resource.setrlimit(resource.RLIMIT_FSIZE, (maximum, maximum))


def output_file() -> IO[bytes]:
    """Return a file of MAX_OUTPUT zeros for the output of a child. The child cannot lengthen it.

    The file is in memory, because TMPDIR may be full or missing.
    """
    output = os.memfd_create("allocsim-output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(output, MAX_OUTPUT)  # takes no memory until written
    fcntl.fcntl(output, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return os.fdopen(output, "w+b")


def written(output: IO[bytes]) -> bytes:
    """Return what a child wrote to an `output_file`, without the zeros at the end."""
    output.seek(0)
    return output.read(MAX_OUTPUT).rstrip(b"\0")


def last_line(errors: IO[bytes]) -> str:
    """Return the last line of a child's standard error, at most 200 characters, or ""."""
    lines = written(errors).decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""


def end_of(child: subprocess.Popen[bytes], seconds: float) -> str | None:
    """Wait until a child ends; return how it ended, or None if it still runs after `seconds`.

    The child is not reaped here, because its process id must stay valid until its process group is
    killed.
    """
    deadline = time.monotonic() + seconds
    while (info := os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
        if time.monotonic() > deadline:
            return None
        time.sleep(POLL_INTERVAL)
    if info.si_code == os.CLD_EXITED:
        return f"ended with status {info.si_status}"
    verb = "killed" if info.si_status == signal.SIGKILL else "crashed"
    return f"{verb} by {signal_name(info.si_status)}"


def output_of(command: list[str], environment: Mapping[str, str], seconds: float) -> bytes | None:
    """Run a child and return its standard output, or None if it fails or takes too long."""
    with output_file() as output:
        options: dict[str, Any] = {"stdout": output, "stderr": subprocess.DEVNULL}
        with running(command, env=environment, **options) as child:
            end = end_of(child, seconds)
        return written(output) if end == "ended with status 0" else None
