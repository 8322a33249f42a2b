"""What a terminal shows while the user waits: a status line, and a bar on long runs.

Beside `drive`, which shows it only on a terminal. Its one rule: it is gone when the run is done,
and a run of less than a second never shows it.
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
from rich.status import Status

from allocsim.core.jit import CACHE, PURE
from allocsim.core.kernel_cache import is_cold, mark_warm
from allocsim.events import Trace, closing_chunks
from allocsim.signals import on_interrupt

PATIENCE = 1.0
"""Seconds before the bar appears."""

REFRESH = 0.1
"""Seconds between two looks at the run."""


class Counts(Protocol):
    """What goes through a trace and counts its events: a player, a writer."""

    @property
    def events(self) -> int:
        """Events done so far."""


@contextmanager
def compiling() -> Iterator[Status]:
    """A status line for the first run, in which the kernels are compiled."""
    console = Console(stderr=True)
    line = console.status("compiling the kernels: only this first time, some 10 s")
    with on_interrupt(lambda: _clear(console)), line:
        yield line


def warm_up(trace: Trace) -> None:
    """Begin to read a recording, with a status line if its reader has yet to be compiled."""
    kernels = f"format-{trace.description.get('format')}"
    if PURE or "format" not in trace.description or not is_cold(CACHE, kernels):
        return
    with compiling():
        first = next(trace.chunks, None)
    mark_warm(CACHE, kernels)
    if first is not None:
        trace.chunks = _with_first(first, trace.chunks)


def _with_first(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    """The chunk that was taken already, then the rest."""
    with closing_chunks(rest):
        yield first
        yield from rest


@contextmanager
def progress_bar(trace: Trace) -> Iterator[Callable[[Counts], None]]:
    """A bar with rate and remaining time; gives the call that keeps it up to date."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
    task = bar.add_task(trace.name, total=1.0, rate="")
    begun = shown = time.monotonic()

    def watch(doer: Counts) -> None:
        """Bring the bar up to date, if it is time to."""
        nonlocal shown
        now = time.monotonic()
        if now - begun < PATIENCE or now - shown < REFRESH:
            return
        shown = now
        bar.start()
        rate = f"{doer.events / (now - begun) / 1e6:.1f} M events/s"
        bar.update(task, completed=_share(trace, doer), rate=rate)
        bar.refresh()

    with on_interrupt(lambda: _clear(console)):
        try:
            yield watch
        finally:
            bar.stop()


def _clear(console: Console) -> None:
    """Wipe the line that is shown and bring the cursor back, past all buffers and locks."""
    if not console.is_dumb_terminal:
        os.write(2, b"\r\x1b[2K\x1b[?25h")


def _share(trace: Trace, doer: Counts) -> float:
    """How much of the trace has been played, 0 to 1."""
    if trace.length:
        return doer.events / trace.length
    return trace.progress() if trace.progress else 0.0


@dataclass
class _Count:
    """Events that went by."""

    events: int = 0


@contextmanager
def watched(trace: Trace) -> Iterator[None]:
    """Show a bar, on a terminal, while the chunks of `trace` are taken in the block."""
    if not sys.stderr.isatty():
        yield
        return
    warm_up(trace)
    with progress_bar(trace) as watch:
        trace.chunks = _counted(trace.chunks, watch)
        yield


def _counted(chunks: Iterator[Any], watch: Callable[[Counts], None]) -> Iterator[Any]:
    """The same chunks, each told to `watch` when it is done."""
    count = _Count()
    with closing_chunks(chunks):
        for chunk in chunks:
            yield chunk
            count.events += len(chunk)
            watch(count)
