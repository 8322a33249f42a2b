"""Trace statistics on the screen and as JSON: calls, sizes, lifetimes and live bytes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import msgspec

from allocsim import __version__
from allocsim.events import Op, Trace
from allocsim.reports.phrases import bar, dropped_calls, percent
from allocsim.reports.screen import ROOMY, PlainText, Screen, Table, simple_table, styled
from allocsim.reports.trace_history import history_json, print_history
from allocsim.text import counted, format_bytes
from allocsim.trace_history import History
from allocsim.trace_stats import Bin, TraceStats
from allocsim.traces.problems import problems_of

SCHEMA = "allocsim/trace-info/1"
"""Name and version of the JSON object. The version changes when a key is removed or gets another
meaning. docs/report-schemas.md describes the fields."""

NO_HISTORY = History()
"""An empty history, for a trace of which only the statistics were collected."""

BAR = 12
"""Width of a full bar, in characters."""

MIN_COLUMNS = 3
"""Columns of a histogram that are shown even on the narrowest terminal."""


def print_survey(trace: Trace, stats: TraceStats, history: History = NO_HISTORY) -> None:
    """Print the whole report; empty rows are omitted."""
    screen = Screen()
    bars = screen.width >= ROOMY
    screen.print(styled(_headline(trace, stats), "bold"))
    if stats.events:
        screen.print(styled(_summary(stats), "bold green"))
        screen.print(_calls_table(stats))
        screen.print_table(_sizes_table(stats, bars), MIN_COLUMNS)
    if stats.by_lifetime:
        screen.print_table(_lifetimes_table(stats, bars), MIN_COLUMNS)
    print_history(screen, history)
    screen.print(*_remarks(trace, stats))


def _headline(trace: Trace, stats: TraceStats) -> str:
    """Return the name and format of the trace, and the numbers of its events and threads."""
    events = f"{counted(stats.events, 'event')}, {counted(stats.threads, 'thread')}"
    return f"{trace.name} ({format_of(trace)}): {events}"


def _summary(stats: TraceStats) -> str:
    """Return a line with the peak live bytes and the total of the requested bytes."""
    return (
        f"Peak live {format_bytes(stats.peak_live)} after {counted(stats.peak_event, 'event')}; "
        f"{format_bytes(stats.requested)} requested in total."
    )


def _calls_table(stats: TraceStats) -> Table:
    """Return the table of calls, and of events that are not calls (see Op), by operation."""
    table = simple_table()
    table.add_column("call", min_width=16)
    table.add_column("count", justify="right", min_width=12)
    table.add_column("", justify="right", min_width=7)
    table.add_column("share", min_width=BAR)
    for op in Op:
        count = stats.operations[op.name]
        if count and op <= Op.FREE:
            table.add_row(op.name.lower(), f"{count:,}", *_share(count, stats.events))
        elif count:
            table.add_row(op.name.lower(), f"{count:,}", "", "a note, not a call")
    return table


def _sizes_table(stats: TraceStats, bars: bool) -> Table:
    """Return the table of calls and bytes by size, and of objects that are never freed."""
    table = _histogram("bytes, up to", "calls", "total bytes", bars)
    table.add_column("never freed", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    never_freed = {entry.most: entry for entry in stats.left_by_size}
    for entry in stats.by_size:
        if entry.count:
            rest = never_freed.get(entry.most, Bin(0, 0, 0, 0))
            table.add_row(
                format_bytes(entry.most),
                *_cells(entry, stats.by_size, bars),
                f"{rest.count:,}" if rest.count else "",
                format_bytes(rest.bytes) if rest.count else "",
            )
    return table


def _lifetimes_table(stats: TraceStats, bars: bool) -> Table:
    """Return the table of freed objects and their bytes by lifetime."""
    table = _histogram("lifetime, up to", "objects", "bytes", bars)
    for entry in stats.by_lifetime:
        if entry.count:
            table.add_row(counted(entry.most, "event"), *_cells(entry, stats.by_lifetime, bars))
    return table


def _histogram(key: str, counts: str, sizes: str, bars: bool) -> Table:
    """Return an empty table of bins; `key`, `counts` and `sizes` are column titles."""
    table = simple_table()
    table.add_column(key, justify="right", no_wrap=True)
    for heading in (counts, sizes):
        table.add_column(heading, justify="right", min_width=10, no_wrap=True)
        table.add_column("", justify="right", min_width=7, no_wrap=True)
        if bars:
            table.add_column("share", min_width=BAR, no_wrap=True)
    return table


def _cells(entry: Bin, bins: list[Bin], bars: bool) -> list[str]:
    """Return the cells of a bin: its count and its bytes, each with its share of the total."""
    count, size = sum(each.count for each in bins), sum(each.bytes for each in bins)
    shares = 2 if bars else 1
    return [
        *(f"{entry.count:,}", *_share(entry.count, count)[:shares]),
        *(format_bytes(entry.bytes), *_share(entry.bytes, size)[:shares]),
    ]


def _share(part: int, whole: int) -> tuple[str, str]:
    """Return a share in percent and as a bar."""
    return percent(part, whole), bar(part, whole, BAR)


def _remarks(trace: Trace, stats: TraceStats) -> list[PlainText]:
    """Return the lines below the tables."""
    lines = []
    if stats.by_lifetime:
        lines += [_lifetimes(stats), _frees_by_others(stats)]
    if stats.live_objects:
        objects = counted(stats.live_objects, "object")
        lines.append(f"never freed: {objects}, {format_bytes(stats.live_bytes)}")
    lines += [f"not valid: {problem}" for problem in problems_of(trace, stats)]
    if trace.capabilities.is_known:
        lines.append(f"recorded: {trace.capabilities.text}")
    if trace.program_run:
        lines.append(f"the program: {trace.program_run.text}")
    remarks = [styled(line) for line in lines]
    if trace.dropped:
        remarks.append(styled(dropped_calls(trace), "yellow"))
    return remarks


def _lifetimes(stats: TraceStats) -> str:
    """Return a line with the median, mean and maximum lifetime.

    The median is rounded up to the upper bound of its bin.
    """
    return (
        f"lifetime of freed objects, in events: median at most {stats.median_lifetime:,}, "
        f"mean {stats.mean_lifetime:,.0f}, max {stats.longest:,}"
    )


def _frees_by_others(stats: TraceStats) -> str:
    """Return a line with the number of frees by another thread.

    A free is counted if its thread is not the one that last allocated or resized the object.
    """
    share = percent(stats.frees_by_another, stats.frees)
    others = f"{stats.frees_by_another:,} ({share})" if stats.frees_by_another else "0"
    return f"freed by a thread other than the last to allocate or resize the object: {others}"


def survey_text(
    trace: Trace, stats: TraceStats, command: str, history: History = NO_HISTORY
) -> str:
    """Return the JSON object as indented text, without a newline at its end."""
    return json.dumps(as_json(trace, stats, command, history), indent=2)


def as_json(
    trace: Trace, stats: TraceStats, command: str, history: History = NO_HISTORY
) -> dict[str, Any]:
    """Return the object that --json prints."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": command,
        "workload": {"name": trace.name, **trace.description},
        "seed": trace.seed,
        "format": format_of(trace),
        "events": stats.events,
        "operations": {op.name.lower(): stats.operations[op.name] for op in Op},
        "threads": stats.threads,
        "allocations": stats.allocations,
        "reallocations": stats.reallocations,
        "frees": stats.frees,
        "frees_by_another_thread": stats.frees_by_another,
        "total_bytes": stats.requested,
        "peak_live": stats.peak_live,
        "peak_event": stats.peak_event,
        "live_at_end": {"objects": stats.live_objects, "bytes": stats.live_bytes},
        "dropped": trace.dropped,
        "notes": trace.notes,
        "capabilities": trace.capabilities.as_dict(),
        "program_run": trace.program_run and msgspec.to_builtins(trace.program_run),
        "losses": trace.losses,
        "problems": problems_of(trace, stats),
        "sizes": [asdict(entry) for entry in stats.by_size],
        "sizes_never_freed": [asdict(entry) for entry in stats.left_by_size],
        "lifetime": {"mean": stats.mean_lifetime, "longest": stats.longest},
        "lifetimes": [asdict(entry) for entry in stats.by_lifetime],
        **history_json(history),
    }


def format_of(trace: Trace) -> str:
    """Return the format of a recording, or "job" for a synthetic workload."""
    return str(trace.description.get("format", "job"))
