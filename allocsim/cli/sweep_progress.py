"""The progress bar of a sweep, which is shown only on a terminal.

It shows the number of cells (single measurements) that are finished, the number of failures and the
remaining time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from allocsim.cli.progress import clear_bar
from allocsim.reports.screen import plain_console
from allocsim.signals import on_interrupt
from allocsim.sweep.row import Row
from allocsim.text import printable


@contextmanager
def cell_bar(cells: int) -> Iterator[Callable[[Row], None]]:
    """Show a bar for a number of cells; yield the function that counts a finished cell."""
    if not sys.stderr.isatty() or not cells:
        yield lambda _: None
        return
    console = plain_console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}", markup=False),
    )
    failed = 0
    with (
        on_interrupt(lambda: clear_bar(console)),
        Progress(*columns, console=console, transient=True, refresh_per_second=4) as bar,
    ):
        task = bar.add_task("", total=cells, now="")

        def count_finished(row: Row) -> None:
            """Count a finished cell."""
            nonlocal failed
            failed += row.failure is not None
            failures = f"{failed:,} failed; " if failed else ""
            bar.update(task, advance=1, now=printable(f"{failures}{row.subject}"))

        yield count_finished
