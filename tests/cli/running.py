"""Run the command line: in this process, or in a new one."""

import os
import pty
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.untraced import CHILDREN

PATIENCE = 900.0
"""Seconds after which a process counts as hung; a busy machine may be a hundred times slower."""


@dataclass(frozen=True)
class Ended:
    """The exit status and output of a run."""

    status: int
    out: str
    err: str


REMOVED = ("PYTHONUNBUFFERED", CHILDREN)

ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in REMOVED} | {
    "PYTHONPATH": str(REPOSITORY)
}
"""The environment of commands, with buffered streams as users have them. Coverage would take half
of the time of a command that does little, and other tests run the same lines in this process."""

MEASURED = ENVIRONMENT | {name: os.environ[name] for name in (CHILDREN,) if name in os.environ}
"""The same with coverage, for lines that only such commands run."""


def command(*arguments: str | Path) -> list[str]:
    """Return the command that runs allocsim in a new process."""
    return [sys.executable, "-m", "allocsim", *map(str, arguments)]


def process(*arguments: str | Path, **options: Any) -> Ended:
    """Run allocsim in a new process; return its outcome. A traceback is an error."""
    given: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": ENVIRONMENT,
    } | options
    child = subprocess.run(command(*arguments), check=False, **given)
    out, err = ((text or b"").decode(errors="replace") for text in (child.stdout, child.stderr))
    assert "Traceback" not in err, err
    return Ended(child.returncode, out, without_notices(err))


def without_notices(err: str) -> str:
    """Return standard error without the notices about compiling."""
    lines = err.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("allocsim: compiling "))


def default_signals() -> None:
    """Restore the default handlers, because a shell starts background jobs with SIGINT ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def has_not_ended(process: str) -> bool:
    """Return whether the process with this id is running. A zombie is not running."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def limited(kind: int, limit: int) -> Callable[[], None]:
    """Return a function that limits a resource of the calling process."""
    return lambda: resource.setrlimit(kind, (limit, limit))


def read_until(terminal: int, wanted: bytes | None) -> bytes:
    """Return a terminal's output. Stops after `wanted`, at the end, or after PATIENCE seconds."""
    shown, deadline = b"", time.monotonic() + PATIENCE
    while (wanted is None or wanted not in shown) and time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], PATIENCE)
        try:
            part = os.read(terminal, 4096) if ready else b""
        except OSError:  # the other end is closed
            part = b""
        if not part:
            break
        shown += part
    return shown


def interrupted(arguments: list[str], wanted: bytes, directory: Path) -> tuple[int, bytes, bytes]:
    """Run with a terminal for stderr, and press Ctrl-C once `wanted` is shown.

    Returns the exit status, stdout, and the output on the terminal.
    """
    terminal, end = pty.openpty()
    child = subprocess.Popen(
        command(*arguments),
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=end,
        env={**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "120"},
        preexec_fn=default_signals,
    )
    os.close(end)
    try:
        shown = read_until(terminal, wanted)
        child.send_signal(signal.SIGINT)
        shown += read_until(terminal, None)
        out, _ = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
    return child.returncode, out, shown
