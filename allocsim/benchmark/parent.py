"""Run the child process of a measurement: start it, limit its time and memory, and end it.

No process and no file remains, no matter how the parent or the child ends. A malloc library runs in
the child and can write anything into the child's pipe for messages. The parent therefore accepts
only a message that is allowed in the current stage. If the child writes anything else, the subject
(the design or library that the child measures) counts as failed.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from typing import IO

import msgspec

from allocsim.benchmark import integrity
from allocsim.benchmark.child import Message, Request
from allocsim.benchmark.subject import library_of
from allocsim.core import compile_notice
from allocsim.errors import AllocsimError
from allocsim.events import EVENT
from allocsim.libraries.environment import child_environment
from allocsim.python_child import (
    POLL_INTERVAL,
    end_of,
    last_line,
    module_command,
    output_file,
    running,
)
from allocsim.text import format_bytes

START_TIMEOUT = 600.0
"""Seconds within which a child must be ready to load its subject. In a first run this includes
compiling the kernels."""

SLACK = 1 << 20
"""Maximum error of /proc/PID/statm, in bytes."""

EXIT_TIMEOUT = 10.0
"""Seconds that a child may take to end once it has closed its pipe."""

ARRAYS_SLACK, ARRAYS_BYTES = 32 << 20, 128
"""Additional bytes that a child may take if it writes arrays: ARRAYS_SLACK for the code that it
loads, and ARRAYS_BYTES per event. The arrays have several columns with an entry for each live
object, and there are at most as many live objects as events. These bytes raise the resident memory
at which the child is killed. They do not raise the limit with which the child compares the peak
that it has measured."""

MAX_MESSAGE = 1 << 20
"""Maximum length of a message in bytes. The message with the figures has about 2 KB, and 20 bytes
more for each timed run."""

NEXT_STAGES = {
    "starting": ("compiling", "loading", "failed"),
    "being loaded": ("ready", "failed"),
    "replaying": ("checking", "done", "failed"),
    "being checked": ("done", "failed"),
}
"""For each stage, the messages that are allowed next. Once a library is loaded, it can forge
messages; with these rules, a forged message cannot extend a deadline."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class SubjectFailed(AllocsimError):
    """A subject could not be measured. The message says why, for example how its process ended."""


class LimitReached(SubjectFailed):
    """The footprint of a subject exceeded the limit."""


def run_child(request: Request, timeout: float, keep_settings: bool = False) -> Message:
    """Run a child and return the message with its figures.

    Raises SubjectFailed if the child crashes, reports a failure or exceeds a limit. `timeout` is
    in seconds and begins when the child's kernels have been compiled.
    """
    reading, request.messages = os.pipe()
    with (
        output_file() as errors,
        os.fdopen(reading, "rb", buffering=0) as messages,
        os.fdopen(request.messages, "wb") as writing,
        running(
            module_command("allocsim.benchmark.child", msgspec.json.encode(request).decode()),
            env=child_environment(library_of(request.subject), keep_settings),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=request.descriptors(),
        ) as child,
    ):
        writing.close()  # now only the child has this end, so the pipe closes when the child ends
        return _Watcher(child, request, timeout).result(messages.fileno(), errors)


class _Watcher:
    """Reads a child's messages and enforces its limits."""

    def __init__(self, child: subprocess.Popen[bytes], request: Request, timeout: float) -> None:
        self.child, self.request, self.timeout = child, request, timeout
        self.deadline = time.monotonic() + START_TIMEOUT
        self.max_resident: int | None = None
        """Maximum RSS of the child in bytes. None for a design, and until a library is loaded."""
        self.stage = "starting"

    def result(self, messages: int, errors: IO[bytes]) -> Message:
        """Wait for the message with the figures; raise SubjectFailed if the child sends none."""
        for line in self._lines(messages):
            message = self._decode(line)
            if message.stage == "failed":
                kind = LimitReached if message.over_limit else SubjectFailed
                raise kind(message.failure or "failed")
            if message.stage == "done":
                return message
            self._enter(message)
        end, error = end_of(self.child, EXIT_TIMEOUT) or "hung", last_line(errors)
        raise SubjectFailed(f"{end} while {self.stage}{': ' if error else ''}{error}")

    def _decode(self, line: bytes) -> Message:
        """Parse a message; raise SubjectFailed if it is not valid in the current stage."""
        try:
            message = msgspec.json.decode(line, type=Message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._not_a_message(line) from None
        is_design = library_of(self.request.subject) is None
        if is_design and message.stage == "compiling":  # a design may compile more at any time
            return message
        is_missing = message.stage == "done" and getattr(message, self.request.measure) is None
        if is_missing or message.stage not in NEXT_STAGES[self.stage]:
            raise self._not_a_message(line)
        return message

    def _not_a_message(self, line: bytes) -> SubjectFailed:
        """Return the error for bytes that are not a message of the current stage."""
        excerpt = line[:40].decode(errors="replace")
        return SubjectFailed(f"wrote '{excerpt}' into allocsim's own pipe while {self.stage}")

    def _enter(self, message: Message) -> None:
        """Begin the stage that a message reports, and set the limits of this stage."""
        if message.stage == "compiling":
            if message.kernels:
                compile_notice.report(message.kernels, message.seconds)
        elif message.stage == "loading":
            self.stage, self.deadline = "being loaded", time.monotonic() + self.timeout
        elif message.stage == "checking":
            self.stage = "being checked"
            if self.max_resident is not None:
                self.max_resident += integrity.MAX_BYTES
        else:
            self.stage = "replaying"
            if library_of(self.request.subject):  # the driver enforces the limit of a design
                # The library may have forged the message. Do not let it raise its own limit.
                begun = min(message.resident, self._resident())
                extra = SLACK + _bytes_for_arrays(self.request)
                self.max_resident = begun + self.request.max_footprint() + extra

    def _lines(self, messages: int) -> Iterator[bytes]:
        """Yield the child's lines until it closes the pipe; check its limits every POLL_INTERVAL.

        Raises SubjectFailed if the child exceeds a limit or writes a line longer than MAX_MESSAGE.
        """
        rest = b""
        while True:
            if select.select([messages], [], [], POLL_INTERVAL)[0]:
                part = os.read(messages, 1 << 16)
                if not part:
                    return
                *lines, rest = (rest + part).split(b"\n")
                yield from lines
                if len(rest) > MAX_MESSAGE:
                    raise self._not_a_message(rest)
            self._require_within_limits()

    def _require_within_limits(self) -> None:
        """Raise SubjectFailed if the child has exceeded its limit of time or memory."""
        if time.monotonic() > self.deadline:
            if self.stage == "starting":
                raise SubjectFailed(f"not ready after {START_TIMEOUT:.0f} s")
            raise SubjectFailed(f"hung: killed after {self.timeout:g} s while {self.stage}")
        if self.max_resident is not None and self._resident() > self.max_resident:
            limit = self.request.limit
            bound = str(self.request.bound()) if limit is None else format_bytes(limit)
            raise LimitReached(f"killed when it exceeded the limit of {bound}")

    def _resident(self) -> int:
        """Return the RSS of the child in bytes, or 0 if it has ended."""
        try:
            with open(f"/proc/{self.child.pid}/statm", encoding="ascii") as statm:  # noqa: PTH123 - 20 reads/s
                return int(statm.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0


def _bytes_for_arrays(request: Request) -> int:
    """Return how many additional bytes a child may take to write arrays; 0 if it writes none."""
    if request.arrays < 0:
        return 0
    return ARRAYS_SLACK + ARRAYS_BYTES * (os.fstat(request.events).st_size // EVENT.itemsize)
