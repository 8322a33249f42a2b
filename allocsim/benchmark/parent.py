"""Run a child process: start it, limit its time and memory, and make sure that it ends.

A child has a session of its own, so that it can be killed with all processes that it has started.
However the parent or the child ends, no process and no file remains.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from typing import IO

import msgspec

from allocsim.benchmark.child import Message, Request
from allocsim.benchmark.subject import library_of
from allocsim.core import compile_notice
from allocsim.errors import AllocsimError
from allocsim.libraries.environment import child_command, child_environment
from allocsim.signals import SignalsDeferred, on_interrupt
from allocsim.text import format_bytes

START_TIMEOUT = 600.0
"""Seconds within which a child must be ready to load its subject. In a first run this includes
compiling the kernels."""

POLL_INTERVAL = 0.05
"""Seconds between two checks of a child's memory."""

SLACK = 1 << 20
"""Bytes by which /proc/PID/statm may be inexact."""

EXIT_TIMEOUT = 10.0
"""Seconds that a child may take to end once it has closed its pipe."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class SubjectFailed(AllocsimError):
    """A subject could not be measured; the message says briefly how its process ended."""


def run_child(request: Request, timeout: float, keep_settings: bool = False) -> Message:
    """Run a child and return its figures; SubjectFailed if it crashes or exceeds a limit."""
    reading, writing = os.pipe()
    request.answer = writing
    with tempfile.TemporaryFile() as errors, os.fdopen(reading, "rb", buffering=0) as messages:
        started: list[subprocess.Popen[bytes]] = []
        with on_interrupt(partial(_kill_all, started)):
            try:
                with SignalsDeferred():  # a signal finds every running child in the list
                    started.append(_start(request, errors, keep_settings))
                return _Watcher(started[0], request, timeout).result(messages.fileno(), errors)
            finally:
                _kill_all(started)


def _start(request: Request, errors: IO[bytes], keep_settings: bool) -> subprocess.Popen[bytes]:
    """Start the child, and close the parent's copy of the pipe that the child writes to."""
    text = msgspec.json.encode(request).decode()
    try:
        return subprocess.Popen(
            child_command("allocsim.benchmark.child", text),
            env=child_environment(library_of(request.subject), keep_settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=(request.events, request.answer),
            start_new_session=True,
        )
    finally:
        os.close(request.answer)


def _kill_all(children: list[subprocess.Popen[bytes]]) -> None:
    """Kill what remains of each child's process group, and reap the child."""
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # a child not reaped keeps its id
        child.wait()


class _Watcher:
    """Reads a child's messages and enforces its limits."""

    def __init__(self, child: subprocess.Popen[bytes], request: Request, timeout: float) -> None:
        self.child, self.request, self.timeout = child, request, timeout
        self.deadline = time.monotonic() + START_TIMEOUT
        self.max_resident: int | None = None
        """Maximum RSS in bytes; None until the child has reported the RSS that it starts with."""
        self.stage = "starting"

    def result(self, messages: int, errors: IO[bytes]) -> Message:
        """Wait for the message with the figures; SubjectFailed with the reason if none comes."""
        for line in self._lines(messages):
            message = msgspec.json.decode(line, type=Message)
            if message.stage == "failed":
                raise SubjectFailed(message.failure or "failed")
            if message.stage == "done":
                return message
            self._enter(message)
        raise SubjectFailed(f"{self._exit_of_child()} while {self.stage}{_last_line(errors)}")

    def _enter(self, message: Message) -> None:
        """Apply the limits of the stage that begins."""
        if message.stage == "compiling":
            compile_notice.write_once(message.notice)
        elif message.stage == "loading":
            self.stage, self.deadline = "being loaded", time.monotonic() + self.timeout
        else:
            self.stage = "replaying"
            if library_of(self.request.subject):  # a design enforces its limit itself, exactly
                self.max_resident = message.resident + self.request.limit + SLACK

    def _lines(self, messages: int) -> Iterator[bytes]:
        """Yield the child's lines until it closes the pipe, checking its limits in between."""
        rest = b""
        while True:
            if select.select([messages], [], [], POLL_INTERVAL)[0]:
                part = os.read(messages, 1 << 16)
                if not part:
                    return
                *lines, rest = (rest + part).split(b"\n")
                yield from lines
            self._require_within_limits()

    def _require_within_limits(self) -> None:
        """Raise SubjectFailed if the child has exceeded its time or its memory."""
        if time.monotonic() > self.deadline:
            if self.stage == "starting":
                raise SubjectFailed(f"not ready after {START_TIMEOUT:.0f} s")
            raise SubjectFailed(f"hung: killed after {self.timeout:g} s while {self.stage}")
        if self.max_resident is not None and self._resident() > self.max_resident:
            limit = format_bytes(self.request.limit)
            raise SubjectFailed(f"killed when it exceeded the limit of {limit}")

    def _resident(self) -> int:
        """Return the RSS of the child in bytes, or 0 if it has ended."""
        try:
            with open(f"/proc/{self.child.pid}/statm") as statm:  # noqa: PTH123 - 20 reads/s
                return int(statm.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def _exit_of_child(self) -> str:
        """Describe how a child that has closed its pipe ended, without reaping it (see `_kill`)."""
        deadline = time.monotonic() + EXIT_TIMEOUT
        while time.monotonic() < deadline:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            info = os.waitid(os.P_PID, self.child.pid, flags)
            if info is None:
                time.sleep(POLL_INTERVAL)
            elif info.si_code == os.CLD_EXITED:
                return f"ended with status {info.si_status}"
            else:
                name = signal.Signals(info.si_status).name
                return f"{'killed' if name == 'SIGKILL' else 'crashed'} by {name}"
        return "hung"


def _last_line(errors: IO[bytes]) -> str:
    """Return ": " and the last line of the child's standard error, or "" if there is no line."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return f": {lines[-1].strip()[:200]}" if lines else ""
