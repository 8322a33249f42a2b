"""A comparison for machines and pull requests: JSON, CSV, Markdown.

Beside the screen's table. Its one rule: JSON and CSV hold every figure as it was measured, bytes
as whole numbers, and null, or an empty field, where there is none.
"""

from __future__ import annotations

import csv
import io
import json
import platform
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from allocsim import __version__
from allocsim.benchmark.figures import Row
from allocsim.reports.comparison import COLUMNS, MEANINGS, Cell, Compared, cells, label, titles
from allocsim.reports.conclusions import conclusions, conditions, twins, warnings
from allocsim.reports.run_screen import screen
from allocsim.text import counted, format_bytes

SCHEMA = "allocsim/comparison/1"
"""Changes when a key changes its meaning or goes."""

_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def comparison_json(shown: Compared) -> str:
    """The whole comparison as one JSON object, indented."""
    comparison, trace = shown.comparison, shown.comparison.workload.trace
    taken = comparison.conditions
    found = {
        "schema": SCHEMA,
        "version": __version__,
        "command": shown.command,
        "seed": trace.seed,
        "workload": {"name": trace.name, **trace.description},
        "dropped": trace.dropped,
        "notes": trace.notes,
        "threads": "one",
        "touch": taken.touch.name.lower(),
        "runs": taken.runs,
        "warmup": taken.warmup,
        "events": comparison.workload.events,
        "threads_of_workload": comparison.workload.threads,
        "machine": _machine(),
        "reference": shown.reference,
        "subjects": [_subject(row) for row in shown.rows()],
        "conclusions": [*conclusions(shown), *twins(comparison)],
        "warnings": warnings(comparison),
    }
    return json.dumps(found, indent=2)


def comparison_csv(shown: Compared) -> str:
    """A row for each subject, under a row of the columns' keys."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["subject", "version", *(column.key for column in COLUMNS), "failure"])
    for row in shown.rows():
        figures = [column.of(row) for column in COLUMNS]
        writer.writerow([row.subject, row.about.version, *figures, row.failure])
    return text.getvalue()


def comparison_markdown(shown: Compared) -> str:
    """The table and its sentences, ending with a newline; the best of a column is bold."""
    heads, workload = titles(), shown.comparison.workload
    lines = [
        f"## {workload.trace.name}: {counted(workload.events, 'event')}",
        "",
        f"| subject | {' | '.join(heads)} |",
        f"|---|{'---:|' * len(heads)}",
    ]
    figures = cells(shown)
    for row in shown.rows():
        found = [
            f"**{cell.text}**" if cell.best else cell.text for cell in figures.get(row.subject, [])
        ]
        if found:
            lines.append(f"| {label(row)} | {' | '.join(found)} |")
        if row.failure:
            lines.append(f"| {label(row)} | {row.failure.replace('|', ' ')} |")
    told = [*conclusions(shown), *twins(shown.comparison), conditions(shown.comparison)]
    cautions = [f"Caution: {text}." for text in warnings(shown.comparison)]
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items() if name != "*")
    return "\n".join([*lines, "", *told, *cautions, "", meanings, "", f"`{shown.command}`", ""])


def _bold(cell: Cell) -> str:
    """A figure, bold if it is the best."""
    return f"**{cell.text}**" if cell.best else cell.text


def _subject(row: Row) -> dict[str, Any]:
    """A row with what follows from its figures."""
    found: dict[str, Any] = msgspec.to_builtins(row)
    found |= found.pop("about")
    if row.memory:
        found["memory"] |= {
            "overhead": row.memory.overhead,
            "fragmentation": row.memory.fragmentation,
        }
    if row.times:
        found["times"] |= {"ns_per_event": row.times.ns, "spread": row.times.spread}
    return found


def _machine() -> dict[str, Any]:
    """What of the machine the figures depend on."""
    huge = _HUGE_PAGES.read_text().strip() if _HUGE_PAGES.is_file() else None
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "processor": platform.machine(),
        "transparent_huge_pages": huge,
    }


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
