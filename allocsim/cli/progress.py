"""The progress bar of long runs, shown on a terminal only.

It appears after PATIENCE seconds. It is cleared when the run ends, also on an error or Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from allocsim.events import Trace, closing_chunks
from allocsim.reports.screen import plain_console
from allocsim.signals import on_interrupt
from allocsim.text import printable

PATIENCE = 1.0
"""Seconds before the bar appears."""

REFRESH = 0.1
"""Seconds between two updates of the bar."""


class Counts(Protocol):
    """A consumer of a trace, such as a player or a writer. It counts the events."""

    @property
    def events(self) -> int:
        """Number of events processed so far."""


@contextmanager
def progress_bar(trace: Trace) -> Iterator[Callable[[Counts], None]]:
    """Show a bar with rate and remaining time; yield the function that updates it."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    console = plain_console(stderr=True)
    bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
    task = bar.add_task(printable(trace.name), total=1.0, rate="")
    begun = last_update = time.monotonic()

    def watch(consumer: Counts) -> None:
        """Update the bar, at most once in REFRESH seconds."""
        nonlocal last_update
        now = time.monotonic()
        if now - begun < PATIENCE or now - last_update < REFRESH:
            return
        last_update = now
        bar.start()
        rate = f"{consumer.events / (now - begun) / 1e6:.1f} M events/s"
        bar.update(task, completed=_share(trace, consumer), rate=rate)
        bar.refresh()

    with on_interrupt(lambda: clear_bar(console)):
        try:
            yield watch
        finally:
            bar.stop()


def clear_bar(console: Console) -> None:
    """Clear the bar and show the cursor again.

    This is called from a signal handler. It writes to the file descriptor, because rich may be
    holding its own lock.
    """
    if not console.is_dumb_terminal:
        os.write(2, b"\r\x1b[2K\x1b[?25h")


def _share(trace: Trace, consumer: Counts) -> float:
    """Return the share of the trace that has been processed, 0 to 1.

    If the length of the trace is unknown, this is the share of the input that has been read.
    """
    if trace.length:
        return consumer.events / trace.length
    return trace.progress() if trace.progress else 0.0


@dataclass
class _Count:
    """Number of events in the chunks that the consumer has processed."""

    events: int = 0


@contextmanager
def watched(trace: Trace) -> Iterator[None]:
    """Show a bar, if standard error is a terminal, while the block consumes `trace.chunks`."""
    if not sys.stderr.isatty():
        yield
        return
    with progress_bar(trace) as watch:
        trace.chunks = _counted(trace.chunks, watch)
        yield


def _counted(chunks: Iterator[Any], watch: Callable[[Counts], None]) -> Iterator[Any]:
    """Yield the chunks; report each one to `watch` when the consumer asks for the next."""
    count = _Count()
    with closing_chunks(chunks):
        for chunk in chunks:
            yield chunk
            count.events += len(chunk)
            watch(count)
