"""A survey of a trace on the screen: what calls there are, how large, how long objects live.

Beside `screen`, whose console it prints on. Its one rule: a row is there if anything is in it, and
a bar shows the share that stands beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from allocsim import __version__
from allocsim.events import Op, Trace
from allocsim.reports.phrases import bar, left_out, percent
from allocsim.reports.run_screen import ROOMY, screen
from allocsim.text import counted, format_bytes
from allocsim.trace_stats import Bin, Survey

BAR = 12
"""Characters of a full bar."""


def print_survey(trace: Trace, seen: Survey) -> None:
    """Print the whole report."""
    console = screen()
    bars = console.width >= ROOMY
    console.print(Text(_headline(trace, seen), style="bold"))
    if seen.events:
        console.print(Text(_verdict(seen), style="bold green"))
        console.print(_calls_table(seen))
        console.print(_sizes_table(seen, bars))
    if seen.by_lifetime:
        console.print(_lifetimes_table(seen, bars))
    for line in _remarks(trace, seen):
        console.print(line)


def _headline(trace: Trace, seen: Survey) -> str:
    """What it is, and how long."""
    events = f"{counted(seen.events, 'event')} of {counted(seen.threads, 'thread')}"
    return f"{trace.name} ({format_of(trace)}): {events}"


def _verdict(seen: Survey) -> str:
    """The peak of live bytes, and what is left."""
    return (
        f"{format_bytes(seen.peak_live)} were live at most, "
        f"after {counted(seen.peak_event, 'event')}; "
        f"{format_bytes(seen.requested)} were asked for in all."
    )


def _calls_table(seen: Survey) -> Table:
    """The calls of each kind."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("call", min_width=16)
    table.add_column("events", justify="right", min_width=12)
    table.add_column("", justify="right", min_width=7)
    table.add_column("of all", min_width=BAR)
    for op in Op:
        count = seen.operations[op.name]
        if count and op <= Op.FREE:
            table.add_row(op.name.lower(), f"{count:,}", *_share(count, seen.events))
        elif count:
            table.add_row(op.name.lower(), f"{count:,}", "", "a note, no event")
    return table


def _sizes_table(seen: Survey, bars: bool) -> Table:
    """Where the calls are and where the bytes are, and what is never freed, by size."""
    table = _histogram("bytes, up to", "calls", "bytes in all", bars)
    table.add_column("never freed", justify="right")
    table.add_column("", justify="right")
    left = {one.most: one for one in seen.left_by_size}
    for one in seen.by_size:
        if one.count:
            rest = left.get(one.most, Bin(0, 0, 0, 0))
            table.add_row(
                format_bytes(one.most),
                *_counted(one, seen.by_size, bars),
                f"{rest.count:,}" if rest.count else "",
                format_bytes(rest.bytes) if rest.count else "",
            )
    return table


def _lifetimes_table(seen: Survey, bars: bool) -> Table:
    """How many objects, and how many bytes, live how long."""
    table = _histogram("events, up to", "objects", "their bytes", bars)
    for one in seen.by_lifetime:
        if one.count:
            table.add_row(f"{one.most:,}", *_counted(one, seen.by_lifetime, bars))
    return table


def _histogram(what: str, counted: str, weighed: str, bars: bool) -> Table:
    """A table of bins, still empty."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(what, justify="right")
    for heading in (counted, weighed):
        table.add_column(heading, justify="right", min_width=10)
        table.add_column("", justify="right", min_width=7)
        if bars:
            table.add_column("of all", min_width=BAR)
    return table


def _counted(one: Bin, bins: list[Bin], bars: bool) -> list[str]:
    """The cells of a bin: its count and its bytes, each with its share of all."""
    count, size = sum(each.count for each in bins), sum(each.bytes for each in bins)
    shares = 2 if bars else 1
    return [
        *(f"{one.count:,}", *_share(one.count, count)[:shares]),
        *(format_bytes(one.bytes), *_share(one.bytes, size)[:shares]),
    ]


def _share(part: int, whole: int) -> tuple[str, str]:
    """A share in percent and as a bar."""
    return percent(part, whole), bar(part, whole, BAR)


def _remarks(trace: Trace, seen: Survey) -> list[Text]:
    """What the tables do not say."""
    lines = []
    if seen.by_lifetime:
        lines.append(
            "half of the objects that are freed live at most "
            f"{counted(seen.median_lifetime, 'event')}, "
            f"the mean is {seen.mean_lifetime:,.0f}, the longest {seen.longest:,}"
        )
        share = percent(seen.frees_by_another, seen.frees)
        others = f"{seen.frees_by_another:,} ({share})" if seen.frees_by_another else "none"
        lines.append(f"freed by another thread than allocated or last resized it: {others}")
    if seen.live_objects:
        lines.append(
            f"never freed: {seen.live_objects:,} objects of {format_bytes(seen.live_bytes)}"
        )
    lines += [f"not sound: an event {fault}; see `allocsim trace check`" for fault in seen.faults]
    told = [Text(line) for line in lines]
    return told + ([Text(left_out(trace), style="yellow")] if trace.dropped else [])


SCHEMA = "allocsim/trace-info/1"
"""Changes when a key changes its meaning or goes."""


def survey_text(trace: Trace, seen: Survey, command: str) -> str:
    """The object as text, indented, without a newline at its end."""
    return json.dumps(as_json(trace, seen, command), indent=2)


def as_json(trace: Trace, seen: Survey, command: str) -> dict[str, Any]:
    """The object that --json prints."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": command,
        "workload": {"name": trace.name, **trace.description},
        "seed": trace.seed,
        "format": format_of(trace),
        "events": seen.events,
        "operations": {op.name.lower(): seen.operations[op.name] for op in Op},
        "threads": seen.threads,
        "allocations": seen.allocations,
        "reallocations": seen.reallocations,
        "frees": seen.frees,
        "frees_by_another_thread": seen.frees_by_another,
        "total_bytes": seen.requested,
        "peak_live": seen.peak_live,
        "peak_event": seen.peak_event,
        "live_at_end": {"objects": seen.live_objects, "bytes": seen.live_bytes},
        "dropped": trace.dropped,
        "notes": trace.notes,
        "sizes": [asdict(one) for one in seen.by_size],
        "sizes_never_freed": [asdict(one) for one in seen.left_by_size],
        "lifetime": {"mean": seen.mean_lifetime, "longest": seen.longest},
        "lifetimes": [asdict(one) for one in seen.by_lifetime],
    }


def format_of(trace: Trace) -> str:
    """The format of a recording; "job" for a synthetic workload."""
    return str(trace.description.get("format", "job"))
