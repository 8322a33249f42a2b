"""Watch an LTTng session, so that the recorded program does not wait forever.

The program waits while its buffers are full. The consumer, a child of the daemon, writes the
buffers to disk. If the disk is full or the consumer has died, the buffers stay full. The session is
then stopped: the program continues without the recorder, and the trace says so.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from allocsim.recorders.background import in_background
from allocsim.recorders.base import RecorderFailed
from allocsim.text import distinct_bytes

INTERVAL = 0.05
"""Seconds between two checks."""

MIN_FREE = 96 << 20
"""Bytes of free space below which a session is stopped: more than the fastest measured recording
writes in a second (75 MB)."""

GOING_ON = "going-on"
"""Name of an empty file in the work directory. When the session is stopped, the file is renamed to
the reason, because a rename is possible even if the disk is full."""

REASONS: Mapping[str, str] = {
    "full": "the directory for temporary files was nearly full (set TMPDIR to another directory)",
    "dead": "the tracer's daemon died",
}


@contextmanager
def watched_session(
    directory: Path, daemon: int | None, stop: Callable[[], None]
) -> Iterator[None]:
    """During the block, end the tracing session as soon as it can no longer write.

    If the disk is nearly full, `stop` is called. If the consumer has died, the daemon is killed.
    `daemon` is the process id of the session daemon, or None if allocsim did not start it; a dead
    consumer is then not noticed. Raises RecorderFailed before the block if there is not enough
    space.
    """
    free = _free_bytes(directory)
    if free < MIN_FREE:
        left, needed = distinct_bytes(free, MIN_FREE)
        raise RecorderFailed(
            f"'{directory.parent}' has {left} free, and a recording needs at least {needed}; set "
            "TMPDIR to a directory with more space"
        )
    (directory / GOING_ON).touch()
    children = _living_children(daemon) if daemon is not None else 0

    def watch(ended: threading.Event) -> None:
        """Check every INTERVAL seconds, until the block has ended or the session is stopped."""
        while not ended.wait(INTERVAL):
            reason = "full" if _free_bytes(directory) < MIN_FREE else ""
            if daemon is not None and _living_children(daemon) < children:
                reason = "dead"
            if reason:
                (directory / GOING_ON).rename(directory / reason)
                if reason == "dead" and daemon is not None:
                    _kill(daemon)  # the program stops waiting when its connection ends
                else:
                    stop()
                return

    with in_background(watch):
        yield


def watch_losses(directory: Path) -> list[str]:
    """Return a list with a sentence if the session was stopped early, or [] if it was not."""
    return [
        f"{text}, so the recording was stopped before the end of the program"
        for reason, text in REASONS.items()
        if (directory / reason).exists()
    ]


def _kill(process: int) -> None:
    """Kill the daemon, if it has not ended."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _living_children(process: int) -> int:
    """Return the number of running children of a process, or -1 if the process itself has ended.

    Returns 0 if /proc does not list the children.
    """
    try:
        tasks = [*Path(f"/proc/{process}/task").iterdir()]
        lists = [(task / "children").read_text("ascii") for task in tasks]
    except OSError:
        return 0 if _is_alive(str(process)) else -1
    return sum(map(_is_alive, " ".join(lists).split())) if _is_alive(str(process)) else -1


def _is_alive(process: str) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z"
    except OSError:
        return False


def _free_bytes(directory: Path) -> int:
    """Return the free bytes that a program of this user may write."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize
