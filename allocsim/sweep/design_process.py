"""The parent's side of a child process that replays workloads on designs (see `design_child`).

A cell is one measurement of one design on one workload. If a cell needs a process and none is idle,
a new process is started. A process serves any number of cells, one after another. If it crashes or
takes too long, only the cell that it was serving can fail.
"""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from contextlib import ExitStack

import msgspec

from allocsim.benchmark.parent import START_TIMEOUT, SubjectFailed
from allocsim.core import compile_notice
from allocsim.libraries.environment import child_environment
from allocsim.python_child import (
    POLL_INTERVAL,
    end_of,
    last_line,
    module_command,
    output_file,
    running,
)
from allocsim.sweep.design_child import Answer, Request
from allocsim.sweep.row import Footprint

EXIT_TIMEOUT = 10.0
"""Seconds that a child may take to end once it has closed its pipe."""


class Died(SubjectFailed):
    """The process ended while it served a cell; the message says how."""


class Hung(SubjectFailed):
    """The process took too long for a cell, and must be killed."""


class DesignProcess:
    """A child process, running until `close`."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            reading, writing = os.pipe()
            self._answers = opened.enter_context(os.fdopen(reading, "rb", buffering=0))
            with os.fdopen(writing, "wb") as answers:
                self._errors = opened.enter_context(output_file())
                self._child: subprocess.Popen[bytes] = opened.enter_context(
                    running(
                        module_command("allocsim.sweep.design_child", str(answers.fileno())),
                        env=child_environment(None),
                        stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL,
                        stderr=self._errors,
                        pass_fds=[answers.fileno()],
                    )
                )
            self._rest, self._has_started = b"", False
            self._opened = opened.pop_all()

    @property
    def is_alive(self) -> bool:
        """Whether the process can take another request."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._child.pid, options) is None

    def replay(self, request: Request, timeout: float) -> Footprint:
        """Replay on a design and return the figures.

        Raises SubjectFailed if the replay fails or takes more than `timeout` seconds, not counting
        the time to compile kernels. Raises Died if the process ends.
        """
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(msgspec.json.encode(request) + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        allowed = timeout if self._has_started else START_TIMEOUT
        while True:
            deadline = time.monotonic() + allowed
            answer = self._next(deadline, timeout)
            if answer.stage == "done":
                if answer.memory is None:
                    raise SubjectFailed(answer.failure or "failed")
                return answer.memory
            if answer.kernels:
                compile_notice.report(answer.kernels, answer.seconds)
            self._has_started = True
            allowed = START_TIMEOUT if answer.stage == "compiling" else timeout

    def close(self) -> None:
        """Kill the process and release its pipes."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._opened.close()

    def _next(self, deadline: float, timeout: float) -> Answer:
        """Return the next answer; raise Hung if none comes before the deadline."""
        while b"\n" not in self._rest:
            if time.monotonic() > deadline:
                raise Hung(f"hung: killed after {timeout:g} s")
            if select.select([self._answers], [], [], POLL_INTERVAL)[0]:
                part = os.read(self._answers.fileno(), 1 << 16)
                if not part:
                    raise self._died()
                self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return msgspec.json.decode(line, type=Answer)

    def _died(self) -> Died:
        """Return the error for a process that has ended."""
        end, message = end_of(self._child, EXIT_TIMEOUT) or "hung", last_line(self._errors)
        return Died(f"{end}{': ' if message else ''}{message}")


class DesignProcesses:
    """The idle processes of this machine. Several threads may use this object at once."""

    def __init__(self) -> None:
        self._idle: list[DesignProcess] = []
        self._lock = threading.Lock()

    def replay(self, request: Request, timeout: float) -> Footprint:
        """Replay on an idle process or a new one.

        If the process dies, the replay is repeated once in a new process, because Linux may have
        killed the first process when others used up the memory. Raises SubjectFailed on failure.
        """
        try:
            return self._replay(self._take(), request, timeout)
        except Died:
            return self._replay(DesignProcess(), request, timeout)

    def close(self) -> None:
        """End all idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

    def _replay(self, process: DesignProcess, request: Request, timeout: float) -> Footprint:
        """Replay, and keep the process if it can serve another cell."""
        try:
            figures = process.replay(request, timeout)
        except (Died, Hung):
            process.close()
            raise
        except SubjectFailed:
            self._keep(process)
            raise
        self._keep(process)
        return figures

    def _keep(self, process: DesignProcess) -> None:
        """Add a process to the idle ones."""
        with self._lock:
            self._idle.append(process)

    def _take(self) -> DesignProcess:
        """Return an idle process, or a new one."""
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                return DesignProcess()
            if process.is_alive:
                return process
            process.close()
