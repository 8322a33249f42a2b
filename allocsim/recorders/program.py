"""The program that is recorded: found, run, waited for.

Below the recorders, which say in what environment it runs. Its one rule: what the user does to
allocsim while it runs (keys, signals) is meant for the program, which decides what comes of it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from allocsim.errors import InputError
from allocsim.signals import Deferred


class Program(NamedTuple):
    """A command as the user gave it, and the file that it runs."""

    arguments: tuple[str, ...]
    """With the command itself, as typed, in front."""
    file: str

    @property
    def name(self) -> str:
        """The last part of what the user typed."""
        return Path(self.arguments[0]).name


class Ended(NamedTuple):
    """How a program ended."""

    process: int
    """Its number, until it ended."""
    status: int
    """As a shell gives it: 128 and the signal for what was killed."""
    seconds: float
    """From its start to its end, with the recorder at work."""

    @property
    def story(self) -> str:
        """What became of it, in words."""
        if self.status > 128 and self.status - 128 in signal.valid_signals():
            return f"was ended by {signal.Signals(self.status - 128).name}"
        return f"ended with status {self.status}"


def find_program(arguments: Sequence[str]) -> Program:
    """The program that a shell would run; InputError if there is none."""
    file = shutil.which(arguments[0])
    if file is not None:
        return Program(tuple(arguments), file)
    if "/" not in arguments[0]:
        way = "; a line of the shell is recorded as: sh -c '…'" if " " in arguments[0] else ""
        if Path(arguments[0]).is_file():
            way = f"; the file here is ./{arguments[0]}"
        raise InputError(f"'{arguments[0]}' is no command here: no directory of PATH holds it{way}")
    if Path(arguments[0]).is_file():
        raise InputError(f"'{arguments[0]}' may not be run: it is not executable (chmod +x)")
    raise InputError(f"'{arguments[0]}' cannot be run: there is no such file")


def run_program(
    program: Program, added: Mapping[str, str], arguments: Sequence[str] | None = None
) -> Ended:
    """Run the program, or itself with other arguments, with `added` in its environment."""
    running: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int) -> None:
        """Give a signal to the program, unless the terminal has done so."""
        if running and not (number == signal.SIGINT and _is_in_foreground()):
            running[0].send_signal(number)

    begun = time.monotonic()
    with Deferred(pass_on):
        try:
            child = subprocess.Popen(
                arguments or program.arguments,
                executable=program.file,
                env={**os.environ, **added},
                close_fds=False,  # a file that the shell opened for it is for it
            )
        except OSError as error:
            raise InputError(f"'{program.file}' cannot be run: {error.strerror}") from error
        running.append(child)
        status = child.wait()
    seconds = time.monotonic() - begun
    return Ended(child.pid, status if status >= 0 else 128 - status, seconds)


def preloading(*libraries: str | Path) -> dict[str, str]:
    """The variable that loads `libraries` into a program, before those that it has anyway."""
    before = os.environ.get("LD_PRELOAD", "")
    return {"LD_PRELOAD": " ".join([*map(str, libraries), before]).strip()}


def _is_in_foreground() -> bool:
    """Whether keys of a terminal reach this process, and with it the program."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


BECOMING = ("env", "nice", "nohup", "setsid", "stdbuf", "time", "timeout")
"""Programs whose purpose is to become, or to start, another."""


def advice_on(program: Program, recorder: str, ended: Ended) -> Iterator[str]:
    """Each thing to know of a program that the recorder of that name has recorded."""
    if recorder == "heaptrack" and ended.status > 128:
        yield "heaptrack's buffer is lost with the program: its last calls are missing"
    if recorder in ("heaptrack", "mtrace") and _may_become_another(program):
        yield f"should {program.name} become another program (exec), {recorder} sees none of that"
    if recorder != "memray" and program.name.startswith("python") and not _shows_objects():
        yield "Python's objects come from pools of its own: PYTHONMALLOC=malloc shows each"


def _may_become_another(program: Program) -> bool:
    """Whether the program is a script, or one of BECOMING."""
    try:
        with Path(program.file).open("rb") as file:
            return program.name in BECOMING or file.read(2) == b"#!"
    except OSError:
        return False


def _shows_objects() -> bool:
    """Whether Python has been told to take each object from malloc."""
    return os.environ.get("PYTHONMALLOC", "").startswith("malloc")
