"""Watching an LTTng session, so that the program does not wait for ever.

The program waits while its buffers are full. If they can no longer be emptied, because the disk is
full or the consumer of the daemon has died, the session is stopped: the program then goes on
without the recorder, and the trace says so.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from allocsim.recorders.base import RecorderFailed
from allocsim.text import format_bytes

INTERVAL = 0.05
"""Seconds between two looks."""

MIN_FREE = 96 << 20
"""Bytes of free space below which a session is stopped. At 75 MB/s, the fastest recording that was
measured, they last for a second."""

GOING_ON = "going-on"
"""Name of an empty file in the work directory. When the session is stopped, it is renamed to the
reason, which is possible even if the disk is full."""

REASONS: Mapping[str, str] = {
    "full": "the directory for temporary files was nearly full (set TMPDIR to another one)",
    "dead": "the tracer's daemon died",
}


@contextmanager
def watched_session(
    directory: Path, daemon: int | None, stop: Callable[[], None]
) -> Iterator[None]:
    """Call `stop` once if the session that records the block can no longer write.

    `daemon` is the process id of the session daemon, if it is private. RecorderFailed, before the
    block, if there is not enough space.
    """
    free = _free_bytes(directory)
    if free < MIN_FREE:
        raise RecorderFailed(
            f"'{directory.parent}' has {format_bytes(free)} free, and it needs at least "
            f"{format_bytes(MIN_FREE)}; set TMPDIR to a directory with more space"
        )
    (directory / GOING_ON).touch()
    ended = threading.Event()
    children = _living_children(daemon) if daemon is not None else 0

    def watch() -> None:
        """Look until the block has ended or the session must be stopped."""
        while not ended.wait(INTERVAL):
            reason = "full" if _free_bytes(directory) < MIN_FREE else ""
            if daemon is not None and _living_children(daemon) < children:
                reason = "dead"
            if reason:
                (directory / GOING_ON).rename(directory / reason)
                if reason == "dead" and daemon is not None:
                    _kill(daemon)  # the program is released when its connection ends
                else:
                    stop()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def watch_losses(directory: Path) -> list[str]:
    """Return a sentence if the session was stopped before the end of the program."""
    return [
        f"{text}, so that the recording was stopped before the end of the program"
        for reason, text in REASONS.items()
        if (directory / reason).exists()
    ]


def _kill(process: int) -> None:
    """Kill the daemon, if it has not ended."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _living_children(process: int) -> int:
    """Return how many children a process has; -1 if it has ended itself."""
    try:
        tasks = [*Path(f"/proc/{process}/task").iterdir()]
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return 0 if _is_alive(str(process)) else -1
    return sum(map(_is_alive, children)) if _is_alive(str(process)) else -1


def _is_alive(process: str) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][:1] != "Z"
    except OSError:
        return False


def _free_bytes(directory: Path) -> int:
    """Return the bytes that a program of this user can still write."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize
