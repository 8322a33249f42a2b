"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from allocsim import __version__
from allocsim.benchmark.figures import Row
from allocsim.markup import Markup
from allocsim.pictures.bars import Bar, bars
from allocsim.pictures.figure import Figure
from allocsim.pictures.page import Page, Section, facts, listed, table, warnings
from allocsim.pictures.units import Unit
from allocsim.reports.comparison import FOOTPRINT, MEANINGS, TIME, Compared, cells, label, titles
from allocsim.reports.comparison_screen import headline
from allocsim.reports.comparison_text import machine
from allocsim.reports.conclusions import compare_counters, conclusions, conditions
from allocsim.reports.conclusions import warnings as cautions_of
from allocsim.reports.real_runs import (
    MEANING,
    TITLES,
    program_sentences,
    real_cells,
    real_notes,
    real_rows,
)  # fmt: skip
from allocsim.text import format_bytes

NANOSECONDS = Unit("ns/event", 1)


def comparison_page(compared: Compared) -> Page:
    """Return the page: the conclusions, pictures, the tables, and the method of measurement."""
    sections = [_answer(compared), Section("table", "All figures", _tables(compared))]
    times = [row for row in compared.rows() if row.times]
    if times:
        sections.insert(1, Section("time", "Time", [_times(times)]))
    return Page(
        title=f"{compared.comparison.workload.trace.name}: allocators compared",
        lead=headline(compared),
        sections=[*sections, _how(compared)],
    )


def _answer(compared: Compared) -> Section:
    """Return the conclusions, the peaks and the warnings."""
    comparison = compared.comparison
    sentences = [
        *program_sentences(compared),
        *conclusions(compared),
        *compare_counters(comparison),
    ]
    failures = [f"{label(row)}: {row.failure}" for row in compared.rows() if row.failure]
    measured = [row for row in compared.rows() if row.memory]
    pictures: list[Markup | Figure] = [_peaks(measured)] if measured else []
    cautions = [*failures, *real_notes(compared), *cautions_of(comparison)]
    return Section("answer", "Answer", [listed(sentences), *pictures, warnings(cautions)])


def _peaks(rows: Sequence[Row]) -> Figure:
    """Return the figure of the peak footprints. Each row must have memory figures."""
    bar_rows, table_rows = [], []
    for row in rows:
        assert row.memory is not None
        peak, live = row.memory.peak, row.memory.live_at_peak
        parts = {"live": min(live, peak), "not live": max(peak - live, 0)}
        bar_rows.append(Bar(label(row), FOOTPRINT.format(peak), parts))
        table_rows.append([label(row), format_bytes(peak), format_bytes(live)])
    return Figure(
        title="Peak footprint",
        summary="The peak footprint of each allocator, and the live bytes at that moment.",
        view=lambda width: bars(bar_rows, width),
        titles=("allocator", "peak footprint", "live at that moment"),
        rows=table_rows,
    )


def _times(rows: Sequence[Row]) -> Figure:
    """Return the figure of the times per event. Each row must have times."""
    times = [(label(row), TIME.of(row) or 0.0) for row in rows]
    bar_rows = [Bar(name, f"{time:.1f} ns/event", {"time": time}) for name, time in times]
    return Figure(
        title="CPU time per event",
        summary="The median of the timed replays of each allocator.",
        view=lambda width: bars(bar_rows, width, unit=NANOSECONDS),
        titles=("allocator", "ns/event"),
        rows=[[name, f"{time:.1f}"] for name, time in times],
    )


def _tables(compared: Compared) -> list[Markup | Figure]:
    """Return the tables of the report; * marks the best figure of a column."""
    figures = cells(compared)
    rows = [
        [
            label(row),
            *(f"*{cell.text}" if cell.is_best else cell.text for cell in figures[row.subject]),
        ]
        for row in compared.rows()
        if row.subject in figures
    ]
    content: list[Markup | Figure] = [table("All figures", ("allocator", *titles()), rows, (0,))]
    real = [[label(row), *real_cells(row, compared.comparison)] for row in real_rows(compared)]
    if real:
        content.insert(0, table("The program itself", ("program under", *TITLES), real, (0,)))
    return content


def _how(compared: Compared) -> Section:
    """Return how the figures were measured."""
    named = [
        ("command", compared.command),
        ("version", f"allocsim {__version__}"),
        ("conditions", conditions(compared)),
        ("machine", ", ".join(str(each) for each in machine().values() if each)),
        *MEANINGS.items(),
    ]
    notes = [f"{MEANING}."] if real_rows(compared) else []
    return Section("how", "How it was measured", [facts(named), listed(notes)])
