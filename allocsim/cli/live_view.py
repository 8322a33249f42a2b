"""The view of `record --live`: memory and live bytes of the running program, once a second.

On a terminal, it is a table with charts; elsewhere, it is one line per second. Both go to standard
error, because standard output belongs to the program.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table

from allocsim.cli.progress import clear_bar
from allocsim.recorders.base import LiveFigures
from allocsim.reports.phrases import sparkline
from allocsim.reports.screen import plain_console
from allocsim.signals import on_interrupt
from allocsim.text import counted, format_bytes

WIDTH = 60
"""Width of a chart in characters. Each character shows one second."""


@contextmanager
def live_view(notify: Callable[[str], None]) -> Iterator[Callable[[LiveFigures], None]]:
    """Yield a function that adds figures to the view."""
    if not sys.stderr.isatty():
        yield lambda figures: notify(live_line(figures))
        return
    console = plain_console(stderr=True)
    view = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    recent: deque[LiveFigures] = deque(maxlen=WIDTH)

    def show(figures: LiveFigures) -> None:
        """Add the figures to the charts."""
        recent.append(figures)
        view.start()
        view.update(live_table([*recent]), refresh=True)

    with on_interrupt(lambda: clear_bar(console)):
        try:
            yield show
        finally:
            view.stop()


def live_line(figures: LiveFigures) -> str:
    """Return the figures in one line."""
    return (
        f"{figures.seconds:.0f} s: resident {format_bytes(figures.resident)}, live "
        f"{format_bytes(figures.live)}{_ratio(figures)}, {counted(figures.objects, 'object')}, "
        f"{counted(figures.events, 'event')}"
    )


def live_table(recent: list[LiveFigures]) -> Table:
    """Return a table of the last figures, and charts of all figures on one scale."""
    last = recent[-1]
    top = max(max(figures.resident, figures.live) for figures in recent)
    table = Table.grid(padding=(0, 2))
    for name, values in (
        ("resident", [figures.resident for figures in recent]),
        ("live", [figures.live for figures in recent]),
    ):
        table.add_row(name, format_bytes(values[-1]), sparkline(values, top, WIDTH))
    table.add_row(
        f"{last.seconds:.0f} s",
        f"{last.resident / last.live:.2f}x live" if last.live else "",
        f"{counted(last.objects, 'object')}, {counted(last.events, 'event')}",
    )
    return table


def _ratio(figures: LiveFigures) -> str:
    """Return the ratio of resident to live bytes in parentheses, or "" if no bytes are live."""
    return f" ({figures.resident / figures.live:.2f}x)" if figures.live else ""
