"""A comparison on the screen: one row a subject, the best of each column marked.

Above the table of `comparison`. On a narrow terminal the last columns are left out, whole, and it
says so. Its one rule: a mark is a star as well as a colour, so that it is there in a pipe too.
"""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from allocsim.reports.comparison import MEANINGS, Cell, Compared, cells, label, titles
from allocsim.reports.conclusions import conclusions, conditions, twins, warnings
from allocsim.reports.run_screen import screen
from allocsim.text import counted, format_bytes

FEWEST = 3
"""Figures that are shown however narrow the terminal is."""


def print_comparison(shown: Compared) -> None:
    """Print the whole report."""
    console, comparison = screen(), shown.comparison
    console.print(Text(_headline(shown), style="bold"))
    count = len(titles())
    if console.is_terminal:
        while count > FEWEST and _width(console, _table(shown, count)) > console.width:
            count -= 1
    else:
        console.width = max(console.width, _width(console, _table(shown, count)))
    console.print(_table(shown, count))
    if count < len(titles()):
        left_out = ", ".join(titles()[count:])
        console.print(Text(f"left out, for want of width: {left_out}", style="dim"))
    for row in shown.rows():
        if row.failure:
            console.print(Text(f"{label(row)}: {row.failure}", style="red"))
    for text in conclusions(shown):
        console.print(Text(text, style="bold"))
    for text in twins(comparison):
        console.print(Text(text, style="bold green"))
    for text in warnings(comparison):
        console.print(Text(f"caution: {text}", style="yellow"))
    console.print(Text(conditions(comparison), style="dim"))
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items())
    console.print(Text(meanings, style="dim"))


def _headline(shown: Compared) -> str:
    """What was played, and how much was live at most."""
    workload = shown.comparison.workload
    live = max((row.memory.peak_live for row in shown.comparison.rows if row.memory), default=0)
    return (
        f"{workload.trace.name}: {counted(workload.events, 'event')}, at most "
        f"{format_bytes(live)} live; relative to {shown.reference}"
    )


def _width(console: Console, table: Table) -> int:
    """Columns that the whole table takes."""
    return Measurement.get(console, console.options.update(width=10_000), table).maximum


def _table(shown: Compared, count: int) -> Table:
    """One row for each subject, with its first `count` figures."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("subject", no_wrap=True)
    for title in titles()[:count]:
        table.add_column(title, justify="right", no_wrap=True)
    figures = cells(shown)
    for row in shown.rows():
        found = figures.get(row.subject)
        style = "" if found else "red"
        first = Text(label(row), style=style)
        table.add_row(first, *([_text(cell) for cell in found[:count]] if found else ["failed"]))
    return table


def _text(cell: Cell) -> Text:
    """A figure, with a star and a colour if it is the best."""
    return Text(f"*{cell.text}", style="bold green") if cell.best else Text(cell.text)
