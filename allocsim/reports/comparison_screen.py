"""A comparison on the screen: tables, failures, conclusions, warnings and the conditions."""

from __future__ import annotations

from allocsim.reports.comparison import MEANINGS, Cell, Compared, cells, label, titles
from allocsim.reports.conclusions import compare_counters, conclusions, conditions, warnings
from allocsim.reports.real_runs import (
    MEANING,
    TITLES,
    program_sentences,
    real_cells,
    real_notes,
    real_rows,
)
from allocsim.reports.screen import PlainText, Screen, Table, simple_table, styled
from allocsim.text import counted, format_bytes

MIN_COLUMNS = 3
"""Minimum number of columns with figures, on a terminal of any width."""


def print_comparison(compared: Compared) -> None:
    """Print the whole report."""
    screen, comparison = Screen(), compared.comparison
    screen.print(styled(headline(compared), "bold"))
    if real_rows(compared):
        screen.print_table(_real_table(compared), len(TITLES))
    screen.print_table(_table(compared), 1 + MIN_COLUMNS)
    for row in compared.rows():
        if row.failure:
            screen.print(styled(f"{label(row)}: {row.failure}", "red"))
    screen.print(*(styled(text, "red") for text in real_notes(compared)))
    screen.print(*(styled(text, "bold") for text in program_sentences(compared)))
    screen.print(*(styled(text, "bold") for text in conclusions(compared)))
    screen.print(*(styled(text, "bold green") for text in compare_counters(comparison)))
    screen.print(*(styled(f"warning: {text}", "yellow") for text in warnings(comparison)))
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items())
    screen.print(styled(conditions(compared), "dim"), styled(f"{meanings}.", "dim"))
    if real_rows(compared):
        screen.print(styled(f"{MEANING}.", "dim"))


def headline(compared: Compared) -> str:
    """Return the headline: the workload and its peak live bytes.

    The headline also names the reference, unless every subject failed.
    """
    workload = compared.comparison.workload
    live = max((row.memory.peak_live for row in compared.comparison.rows if row.memory), default=0)
    text = (
        f"{workload.trace.name}: {counted(workload.events, 'event')}, "
        f"peak live {format_bytes(live)}"
    )
    if compared.reference is None:
        return text
    failed = "" if compared.reference == compared.requested else f" ({compared.requested} failed)"
    return f"{text}; relative to {compared.reference}{failed}"


def _table(compared: Compared) -> Table:
    """Return the table, with a row for each subject."""
    table = simple_table()
    table.padding = (0, 1, 0, 0)
    table.add_column("subject", no_wrap=True)
    for title in titles():
        table.add_column(title, justify="right", no_wrap=True)
    figures = cells(compared)
    for row in compared.rows():
        texts = [_text(cell) for cell in figures.get(row.subject, [])]
        first = styled(label(row), "" if texts else "red")
        table.add_row(first, *(texts or [styled("failed")]))
    return table


def _real_table(compared: Compared) -> Table:
    """Return the table of the real program's runs, with a row for each library."""
    table = simple_table()
    table.padding = (0, 1, 0, 0)
    table.add_column("program under", no_wrap=True)
    for title in TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    for row in real_rows(compared):
        table.add_row(label(row), *real_cells(row, compared.comparison))
    return table


def _text(cell: Cell) -> PlainText:
    """Return a figure as text, with a star and a colour if it is the best of its column."""
    return styled(f"*{cell.text}", "bold green") if cell.is_best else styled(cell.text)
