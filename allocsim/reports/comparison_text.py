"""A comparison as text: JSON and CSV for programs, Markdown for a pull request.

JSON and CSV contain the measured figures without rounding. Sizes are integers, in bytes. A figure
that was not measured is null in JSON and an empty field in CSV.
"""

from __future__ import annotations

import csv
import io
import json
import platform
from pathlib import Path
from typing import Any

import msgspec

from allocsim import __version__
from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.reports.comparison import ALL_COLUMNS, MEANINGS, Cell, Compared, cells, label, titles
from allocsim.reports.conclusions import compare_counters, conclusions, conditions, warnings
from allocsim.reports.markdown import code_span, plain
from allocsim.reports.real_runs import (
    MEANING,
    TITLES,
    program_sentences,
    real_cells,
    real_json,
    real_notes,
    real_rows,
)
from allocsim.text import counted, printable

SCHEMA = "allocsim/comparison/3"
"""Name and version of the JSON object. The version changes when a key is removed or gets another
meaning. Since version 2, `overhead` is footprint / live at the peak of the footprint, as in a
profile; `x_live` is peak footprint / peak live, which may be at different moments. Since version 3,
times are CPU time without the time of reading the clock, and a library's peak is the kernel's own
peak if that is higher than all readings of the RSS. docs/comparison-schema.md describes the
fields."""

_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def comparison_json(compared: Compared) -> str:
    """Return the whole comparison as an indented JSON object."""
    comparison, trace = compared.comparison, compared.comparison.workload.trace
    conditions = comparison.conditions
    report = {
        "schema": SCHEMA,
        "version": __version__,
        "command": compared.command,
        "seed": trace.seed,
        "workload": {"name": trace.name, **trace.description},
        "dropped": trace.dropped,
        "notes": trace.notes,
        "threads": "recorded" if comparison.workload.recorded else "one",
        "thread_ends": comparison.workload.ends,
        "touch": conditions.touch.name.lower(),
        "touched": "recorded" if comparison.workload.knows_touched else None,
        "pace": "recorded" if conditions.paced else "full",
        "recorded_seconds": comparison.workload.seconds,
        "runs": conditions.runs,
        "warmup": conditions.warmup,
        "program_run": trace.program_run and msgspec.to_builtins(trace.program_run),
        "events": comparison.workload.events,
        "threads_of_workload": comparison.workload.threads,
        "machine": machine(),
        "reference": compared.reference,
        "subjects": [_subject(row, comparison) for row in compared.rows()],
        "conclusions": [
            *program_sentences(compared),
            *conclusions(compared),
            *compare_counters(comparison),
        ],
        "warnings": warnings(comparison),
    }
    return json.dumps(report, indent=2)


def comparison_csv(compared: Compared) -> str:
    """Return CSV: a header row of column keys, then a row for each subject."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["subject", "version", *(column.key for column in ALL_COLUMNS), "failure"])
    for row in compared.rows():
        figures = [column.of(row) for column in ALL_COLUMNS]
        subject, version, failure = map(csv_cell, (row.subject, row.about.version, row.failure))
        writer.writerow([subject, version, *figures, failure])
    return text.getvalue()


def comparison_markdown(compared: Compared) -> str:
    """Return the tables and their notes as Markdown, ending with a newline.

    The best figure of each column is bold.
    """
    comparison = compared.comparison
    notes = [*program_sentences(compared), *conclusions(compared), *compare_counters(comparison)]
    notes.append(conditions(compared))
    notes += [f"Warning: {text}" for text in warnings(comparison)]
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items() if name != "*")
    workload = comparison.workload
    head = f"## {plain(workload.trace.name)}: {counted(workload.events, 'event')}"
    meanings += f"; {MEANING}" if real_rows(compared) else ""
    texts = [*map(plain, notes), "", plain(f"{meanings}."), "", code_span(compared.command)]
    return "\n".join([head, "", *_real_table(compared), *_table(compared), "", *texts, ""])


def csv_cell(text: str | None) -> str | None:
    """Return a text as a cell of one line that no spreadsheet evaluates as a formula.

    A text that begins with =, +, - or @ gets an apostrophe before it. Names, version numbers and
    failure messages do not normally begin with these characters.
    """
    if text is None:
        return None
    return "'" * text.startswith(("=", "+", "-", "@")) + printable(text)


def _table(compared: Compared) -> list[str]:
    """Return the lines of the Markdown table. The failure of a subject has its own row."""
    figures = cells(compared)
    lines = [f"| subject | {' | '.join(titles())} |", f"|---|{'---:|' * len(titles())}"]
    for row in compared.rows():
        if row.subject in figures:
            emphasised = " | ".join(_emphasised(cell) for cell in figures[row.subject])
            lines.append(f"| {plain(label(row))} | {emphasised} |")
        if row.failure:
            lines.append(f"| {plain(label(row))} | {plain(row.failure)} |")
    return lines


def _real_table(compared: Compared) -> list[str]:
    """Return the lines of the table of the real program's runs, and a line for each failed run.

    Returns an empty list if the program was not run under any library.
    """
    rows = real_rows(compared)
    if not rows:
        return []
    lines = [f"| program under | {' | '.join(TITLES)} |", f"|---|{'---:|' * len(TITLES)}"]
    for row in rows:
        lines.append(
            f"| {plain(label(row))} | {' | '.join(real_cells(row, compared.comparison))} |"
        )
    return [*lines, "", *(line for text in real_notes(compared) for line in (plain(text), ""))]


def _emphasised(cell: Cell) -> str:
    """Return a figure as text, bold if it is the best of its column."""
    return f"**{cell.text}**" if cell.is_best else cell.text


def _subject(row: Row, comparison: Comparison) -> dict[str, Any]:
    """Return the figures of a row for JSON, including those computed from others."""
    subject: dict[str, Any] = msgspec.to_builtins(row)
    subject["real"] = real_json(row, comparison)
    subject |= subject.pop("about")
    if row.memory:
        subject["memory"] |= {
            "overhead": row.memory.overhead,
            "x_live": row.memory.x_live,
            "fragmentation": row.memory.fragmentation,
        }
    if row.times:
        subject["times"] |= {"ns_per_event": row.times.ns, "spread": row.times.spread}
    return subject


def machine() -> dict[str, Any]:
    """Return the properties of the machine that affect the figures."""
    huge = _HUGE_PAGES.read_text("ascii").strip() if _HUGE_PAGES.is_file() else None
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "processor": platform.machine(),
        "transparent_huge_pages": huge,
    }
