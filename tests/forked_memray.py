"""memray's reader in a forked copy of this process, for thousands of cases.

allocsim starts a Python process for each capture. That takes half a second, nearly all of it for
imports that a fork shares with its parent. A crash of memray still ends only the copy.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

from allocsim.traces.readers import memray, memray_child


class Copy:
    """A forked child. It has those members of a Popen that the reader uses."""

    def __init__(self, command: list[str], files: dict[str, Any]) -> None:
        reading, writing = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._become_reader(
                command, (files["stdin"].fileno(), writing, files["stderr"].fileno())
            )
        os.close(writing)
        self.stdout = os.fdopen(reading, "rb")

    def wait(self) -> None:
        """Wait for the child, and set its status as Popen does."""
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)

    def _become_reader(self, command: list[str], streams: tuple[int, int, int]) -> None:
        """Run `memray_child` in this forked process as if `command` had started it; then exit."""
        status = 1
        try:
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            sys.argv = command[2:]
            sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
            status = memray_child.main()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


@contextlib.contextmanager
def forked_reader() -> Iterator[None]:
    """Read captures in forked copies of this process during a block."""
    importlib.import_module("memray")  # once, before the forks

    @contextlib.contextmanager
    def running(command: list[str], **files: Any) -> Iterator[Copy]:
        """Replaces `python_child.running`: fork a child instead of starting one."""
        child = Copy(command, files)
        try:
            yield child
        finally:
            child.wait()

    with mock.patch.object(memray, "running", running):
        yield
