"""The report on whether a trace is valid: its defects, and the calls dropped on import."""

from __future__ import annotations

from allocsim.events import Trace
from allocsim.reports.phrases import percent
from allocsim.reports.screen import Screen, Table, simple_table, styled
from allocsim.text import counted
from allocsim.trace_stats import TraceStats

EXPLANATIONS = {
    "failed call": "returned NULL, so nothing was allocated",
    "free of NULL": "does nothing (C standard)",
    "free of unknown": "the object's allocation is not in the recording",
    "realloc of unknown": "the object's allocation is not in the recording; replayed as malloc",
    "overlap": "malloc returned the address of a live object; the lost free was inserted",
    "impossible size": "larger than any address space: the call failed, or the file is damaged",
    "other process": "made by another process of the recording; see --process",
    "unreadable call": "incomplete, without an address, or in an unknown form; see the notes",
}
"""An explanation of each reason for dropping or repairing a call."""


def print_validity(trace: Trace, stats: TraceStats, problems: list[str]) -> None:
    """Print whether the trace is valid, then the calls that were dropped or repaired."""
    screen = Screen()
    if problems:
        screen.print(styled(f"{trace.name} is not valid:", "bold red"))
        screen.print(*(f"  {problem}" for problem in problems))
    elif stats.events:
        events = f"{counted(stats.events, 'event')}, {counted(stats.threads, 'thread')}"
        screen.print(styled(f"{trace.name} is valid: {events}", "bold green"))
    else:
        screen.print(styled(f"{trace.name} has no events", "bold red"))
    if trace.capabilities.is_known:
        screen.print(f"recorded: {trace.capabilities.text}")
    screen.print(_dropped_table(trace, stats) if trace.dropped else "no calls dropped or repaired")


def _dropped_table(trace: Trace, stats: TraceStats) -> Table:
    """Return the calls that were dropped or repaired, by reason."""
    table = simple_table()
    table.add_column("dropped or repaired", no_wrap=True)
    table.add_column("calls", justify="right")
    table.add_column("of events", justify="right")
    table.add_column("reason")
    for reason, count in trace.dropped.items():
        share = percent(count, stats.events)
        table.add_row(reason, f"{count:,}", share, EXPLANATIONS.get(reason, ""))
    return table
