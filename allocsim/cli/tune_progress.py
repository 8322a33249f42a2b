"""Progress of `allocsim tune`: one line on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from allocsim.cli.output import log
from allocsim.cli.progress import REFRESH, clear_bar, watched
from allocsim.events import Trace
from allocsim.reports.screen import plain_console
from allocsim.signals import on_interrupt
from allocsim.text import counted, printable
from allocsim.tuning.propose import Candidate
from allocsim.tuning.workload import Workload, read_workload


class TuneProgress:
    """Context manager that shows the current step of `tune` if standard error is a terminal."""

    def __init__(self, seconds: float) -> None:
        """The search takes `seconds`; 0 means no search."""
        self.seconds = seconds
        self.begun = self.shown = 0.0
        console = plain_console(stderr=True)
        columns = (TextColumn("{task.description}", markup=False), BarColumn())
        self.bar = Progress(
            *columns, TimeRemainingColumn(), console=console, transient=True, auto_refresh=False
        )
        self.task = self.bar.add_task("", total=None)
        self.on_interrupt = on_interrupt(lambda: clear_bar(console))

    def __enter__(self) -> TuneProgress:
        self.on_interrupt.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.bar.live.is_started:  # stopping a bar that was never shown prints a blank line
            self.bar.stop()
        self.on_interrupt.__exit__(*error)

    def read(self, trace: Trace, copies: int) -> Workload:
        """Read a workload, show a progress bar meanwhile, and print the notes on the workload."""
        with watched(trace):
            workload = read_workload(trace, copies)
        for note in trace.notes:
            log(f"note: {trace.name}: {note}")
        return workload

    def say(self, phrase: str) -> None:
        """Show the current step."""
        if sys.stderr.isatty():
            self.bar.start()
            self.bar.update(self.task, description=printable(phrase))
            self.bar.refresh()

    def show_search(self, best: Candidate, replays: int) -> None:
        """Show the state of the search, at most once in REFRESH seconds."""
        now = time.monotonic()
        self.begun = self.begun or now
        if now - self.shown < REFRESH:
            return
        self.shown = now
        self.bar.update(self.task, total=self.seconds, completed=now - self.begun)
        change = f"{best.score - 1:+.2%} bytes in spans"
        classes = counted(len(best.table), "class")
        self.say(f"{counted(replays, 'replay')}; best table: {change}, {classes}")
