"""Run a program to measure it, with limited time. Its output is hidden by default.

Each run has its own session: Ctrl-C goes to allocsim, which then kills the program. When the
program has ended, the processes that it left running are killed.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from allocsim.errors import InputError
from allocsim.python_child import running
from allocsim.recorders.peak_watch import PeakWatch
from allocsim.recorders.program import (
    Outcome,
    Program,
    Watch,
    processor_time,
    program_run,
    unwatched,
)
from allocsim.recorders.standard_input import STANDARD_INPUT, input_position, rewind_input

STANDARD_ERROR = 2
"""Descriptor of standard error."""


class TimedOut(InputError):
    """The program exceeded its time limit, and was killed."""


@dataclass(frozen=True)
class QuietRuns:
    """Runs of programs under the same conditions."""

    environment: Mapping[str, str]
    timeout: float
    """Seconds after which a program is killed."""
    shows_output: bool = False
    """Whether both output streams of the program go to standard error; if not, they are hidden."""
    input_position: int | None = field(default_factory=input_position)
    """Position in standard input from which every run reads, or None for an empty input."""

    def run(self, program: Program, added: Mapping[str, str], watch: Watch = unwatched) -> Outcome:
        """Run the program with `added` in its environment.

        Raises TimedOut if the program exceeds its time limit, and InputError if it cannot be run.
        """
        peak_watch, used = PeakWatch(), processor_time()
        begun = time.monotonic()
        try:
            with running(
                [*program.arguments],
                executable=program.file,
                env={**self.environment, **added},
                stdin=self._input(),
                stdout=STANDARD_ERROR if self.shows_output else subprocess.DEVNULL,
                stderr=None if self.shows_output else subprocess.DEVNULL,
            ) as child:
                with watch(child.pid), peak_watch.watching(child.pid):
                    has_ended = _wait(child.pid, self.timeout)
                seconds = time.monotonic() - begun
        except OSError as error:
            raise InputError(f"cannot run '{program.file}': {error.strerror}") from error
        if not has_ended:
            raise TimedOut(f"{program.name} was killed after {self.timeout:g} s (--timeout)")
        run = program_run(peak_watch.peak, seconds, processor_time() - used)
        status = child.returncode  # -N if signal N killed the program
        return Outcome(child.pid, status if status >= 0 else 128 - status, seconds, run)

    def _input(self) -> int:
        """Return a descriptor for the program's input, positioned at the beginning of the input."""
        if self.input_position is None:
            return subprocess.DEVNULL
        rewind_input(self.input_position)
        return STANDARD_INPUT


def _wait(process: int, timeout: float) -> bool:
    """Wait until a child process has ended, without reaping it; return False after `timeout` s."""
    descriptor = os.pidfd_open(process)
    try:
        return bool(select.select([descriptor], [], [], timeout)[0])
    finally:
        os.close(descriptor)
