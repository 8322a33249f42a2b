"""Find the program to record, run it, and report how it ended.

While the program runs, the terminal's input goes to the program. allocsim forwards signals to the
program, and waits until the program has ended.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from allocsim.errors import InputError
from allocsim.input_file import is_file
from allocsim.program_run import ProgramRun
from allocsim.recorders.peak_watch import Peak, PeakWatch
from allocsim.signals import SignalsRedirected, signal_name


class Program(NamedTuple):
    """A command line, and the executable file that it runs."""

    arguments: tuple[str, ...]
    """The words as typed; the first is the command itself."""
    file: str

    @property
    def name(self) -> str:
        """The command without its directory."""
        return Path(self.arguments[0]).name


class Outcome(NamedTuple):
    """The end of a program's run, and figures of the run."""

    process: int
    """The process id of the program."""
    status: int
    """The exit status as a shell reports it: 128 + N if signal N killed it."""
    seconds: float
    """Wall time of the program's run."""
    run: ProgramRun | None = None
    """Figures from the kernel. None if the program ended before its memory was first sampled."""

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended the program, as far as its status shows."""
        return self.status > 128 and self.status - 128 in signal.valid_signals()

    @property
    def description(self) -> str:
        """The end of the program in words, such as "exited with status 1"."""
        if self.was_killed:
            return f"was killed by {signal_name(self.status - 128)}"
        return f"exited with status {self.status}"


def find_program(arguments: Sequence[str]) -> Program:
    """Find the executable that a shell would run; raise InputError if none exists."""
    command = arguments[0]
    file = shutil.which(command)
    if file is not None:
        return Program(tuple(arguments), file)
    if "/" not in command:
        hint = "; to record a shell command line, use: sh -c '…'" if " " in command else ""
        if is_file(command):
            hint = f"; for the file in this directory, use ./{command}"
        raise InputError(f"'{command}': command not found in PATH{hint}")
    if is_file(command):
        raise InputError(f"'{command}' is not executable (chmod +x)")
    raise InputError(f"'{command}': no such file")


Watch = Callable[[int], AbstractContextManager[None]]
"""Takes a process id; returns a context manager that is active while that process runs."""

Runner = Callable[[Program, Mapping[str, str], Watch], Outcome]
"""Runs a program to its end, like `run_program`."""


def unwatched(_: int) -> AbstractContextManager[None]:
    """Return a context manager that does nothing."""
    return nullcontext()


def run_program(
    program: Program,
    added: Mapping[str, str],
    watch: Watch = unwatched,
    arguments: Sequence[str] | None = None,
) -> Outcome:
    """Run the program with `added` in its environment.

    If given, `arguments` replace `program.arguments`.
    """
    peak_watch = PeakWatch()
    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int) -> None:
        """Send a signal to the program, unless the terminal has already done so."""
        if not running:
            # The program may already run, but its process id is not known until Popen returns.
            early.append(number)
        elif not (number == signal.SIGINT and _is_in_foreground()):
            running[0].send_signal(number)

    begun = time.monotonic()
    with SignalsRedirected(forward):
        try:
            child = subprocess.Popen(
                arguments or program.arguments,
                executable=program.file,
                env={**os.environ, **added},
                close_fds=False,  # keep descriptors that the shell opened for the program
            )
        except OSError as error:
            raise InputError(f"cannot run '{program.file}': {error.strerror}") from error
        running.append(child)
        for number in early:
            forward(number)
        used = processor_time()
        with watch(child.pid), peak_watch.watching(child.pid):
            status = child.wait()
        used = processor_time() - used
    seconds = time.monotonic() - begun
    run = program_run(peak_watch.peak, seconds, used)
    # `wait` returns -N if signal N killed the program.
    return Outcome(child.pid, status if status >= 0 else 128 - status, seconds, run)


def program_run(peak: Peak, seconds: float, cpu_seconds: float) -> ProgramRun | None:
    """Return the figures of a run, or None if the run was too short for a sample."""
    if not peak.highest:
        return None
    return ProgramRun(
        anonymous_peak=peak.anonymous,
        outside_malloc=min(peak.outside_malloc, peak.anonymous),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        threads=peak.threads,
        cores=len(os.sched_getaffinity(0)),
        unsampled=peak.unsampled,
        malloc=peak.malloc,
    )


def processor_time() -> float:
    """Return the processor time in seconds of all child processes that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def preload(*libraries: str | Path) -> dict[str, str]:
    """Return an LD_PRELOAD that loads `libraries`, then the libraries of the user's LD_PRELOAD."""
    inherited = os.environ.get("LD_PRELOAD", "")
    return {"LD_PRELOAD": " ".join([*map(str, libraries), inherited]).strip()}


def _is_in_foreground() -> bool:
    """Return whether the terminal's Ctrl-C reaches this process, and therefore also the program."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
