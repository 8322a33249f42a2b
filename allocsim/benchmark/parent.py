"""Child processes, from their start to their certain end.

Above `child`, whose lines it reads; below the comparison. A child gets a session of its own, so
that its whole group can be killed, and is watched for its time and its memory. Its one rule:
whatever happens here or there, no process and no file is left.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from typing import IO

import msgspec

from allocsim.benchmark.child import Request, Said
from allocsim.benchmark.subject import library_of
from allocsim.errors import AllocsimError
from allocsim.libraries.environment import child_environment
from allocsim.signals import on_interrupt
from allocsim.text import format_bytes

STARTING = 600.0
"""Seconds for a child to be ready to load its subject: a first run compiles the kernels."""

LOOK = 0.05
"""Seconds between two looks at a child's memory."""

SLACK = 1 << 20
"""Bytes by which /proc/PID/statm may be off."""

LINGER = 10.0
"""Seconds that a child may take to end once it has closed its pipe."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class SubjectFailed(AllocsimError):
    """A subject did not come to its end; the message says in a few words how it ended."""


def run_child(request: Request, timeout: float, keep_settings: bool = False) -> Said:
    """What a child says in the end; SubjectFailed if it crashed, hung, or took too much."""
    reading, writing = os.pipe()
    request.answer = writing
    with tempfile.TemporaryFile() as errors, os.fdopen(reading, "rb", buffering=0) as answers:
        try:
            child = _start(request, errors, keep_settings)
        finally:
            os.close(writing)
        with on_interrupt(partial(_end, child)):
            try:
                return _Watch(child, request, timeout).last_word(answers.fileno(), errors)
            finally:
                _end(child)


def _start(request: Request, errors: IO[bytes], keep_settings: bool) -> subprocess.Popen[bytes]:
    """Start the child."""
    text = msgspec.json.encode(request).decode()
    return subprocess.Popen(
        [sys.executable, "-m", "allocsim.benchmark.child", text],
        env=child_environment(library_of(request.subject), keep_settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=(request.events, request.answer),
        start_new_session=True,
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole group, if anything of it is left, and wait for the child."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # not waited for yet: the number is still its own
    child.wait()


class _Watch:
    """Listens to a child and sees to it that it keeps its limits."""

    def __init__(self, child: subprocess.Popen[bytes], request: Request, timeout: float) -> None:
        self.child, self.request, self.timeout = child, request, timeout
        self.deadline = time.monotonic() + STARTING
        self.ceiling: int | None = None
        """The most bytes that may be resident, once it has said with how many it begins."""
        self.stage = "starting"

    def last_word(self, answers: int, errors: IO[bytes]) -> Said:
        """What the child says in the end; SubjectFailed if it says that it failed, or nothing."""
        for line in self._lines(answers):
            said = msgspec.json.decode(line, type=Said)
            if said.stage == "failed":
                raise SubjectFailed(said.failure or "failed")
            if said.stage == "done":
                return said
            self._enter(said)
        raise SubjectFailed(f"{self._end_of_child()} while {self.stage}{_last_line(errors)}")

    def _enter(self, said: Said) -> None:
        """Begin to count what the stage is allowed."""
        if said.stage == "loading":
            self.stage, self.deadline = "being loaded", time.monotonic() + self.timeout
        else:
            self.stage = "playing"
            if library_of(self.request.subject):  # a design keeps its limit itself, exactly
                self.ceiling = said.resident + self.request.limit + SLACK

    def _lines(self, answers: int) -> Iterator[bytes]:
        """The child's lines until it closes the pipe, with a look at its limits in between."""
        rest = b""
        while True:
            if select.select([answers], [], [], LOOK)[0]:
                part = os.read(answers, 1 << 16)
                if not part:
                    return
                *lines, rest = (rest + part).split(b"\n")
                yield from lines
            self._require_within()

    def _require_within(self) -> None:
        """SubjectFailed when the child is out of time or memory."""
        if time.monotonic() > self.deadline:
            if self.stage == "starting":
                raise SubjectFailed(f"not ready after {STARTING:.0f} s")
            raise SubjectFailed(f"hung: killed after {self.timeout:g} s while {self.stage}")
        if self.ceiling is not None and self._resident() > self.ceiling:
            raise SubjectFailed(f"killed when it passed {format_bytes(self.request.limit)}")

    def _resident(self) -> int:
        """Bytes of the child that are resident now; 0 when it is gone."""
        try:
            with open(f"/proc/{self.child.pid}/statm") as statm:  # noqa: PTH123 - twenty a second
                return int(statm.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def _end_of_child(self) -> str:
        """How the child ended that has closed its pipe: by a signal, or by itself."""
        deadline = time.monotonic() + LINGER
        while time.monotonic() < deadline:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            ended = os.waitid(os.P_PID, self.child.pid, flags)
            if ended is None:
                time.sleep(LOOK)
            elif ended.si_code == os.CLD_EXITED:
                return f"ended with status {ended.si_status}"
            else:
                name = signal.Signals(ended.si_status).name
                return f"{'killed' if name == 'SIGKILL' else 'crashed'} by {name}"
        return "hung"


def _last_line(errors: IO[bytes]) -> str:
    """The last line that the child wrote as an error, behind a colon; nothing if it wrote none."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return f": {lines[-1].strip()[:200]}" if lines else ""
