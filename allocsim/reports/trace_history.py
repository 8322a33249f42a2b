"""The history of a trace on the screen and as JSON: live bytes over time, and call sites."""

from __future__ import annotations

from typing import Any

from allocsim.call_sites.frame import Frame
from allocsim.reports.phrases import bar, percent
from allocsim.reports.screen import Screen, Table, simple_table, styled
from allocsim.text import counted, format_bytes
from allocsim.trace_history import History, Point, SiteTotal

ROWS = 12
"""Maximum number of rows of the timeline."""

TOP = 8
"""Maximum number of call sites in each table."""

BAR = 40
"""Width of a full bar of the timeline, in characters."""

MIN_COLUMNS = 5
"""Number of columns that a table of call sites has even on the narrowest terminal."""


def print_history(screen: Screen, history: History) -> None:
    """Print the timeline, and the call sites with the most bytes and with the most calls."""
    if len(history.timeline) > 1:
        screen.print(_timeline_table(history.timeline))
    by_calls = sorted(history.sites, key=lambda total: -total.calls)
    for title, totals in (("bytes", history.sites), ("calls", by_calls)):
        if totals:
            screen.print_table(_sites_table(title, totals), MIN_COLUMNS)
    if len(history.sites) > TOP:
        others = counted(len(history.sites) - TOP, "more call site")
        screen.print(styled(f"--json lists {others}", "dim"))


def _timeline_table(points: list[Point]) -> Table:
    """Return the table of live objects and bytes at evenly spaced points, up to the last."""
    table = simple_table()
    table.add_column("after event", justify="right", min_width=16)
    table.add_column("live objects", justify="right")
    table.add_column("live", justify="right", min_width=10)
    table.add_column("", min_width=BAR)
    rows = min(ROWS, len(points))
    selected = [points[(number + 1) * len(points) // rows - 1] for number in range(rows)]
    highest = max(point.live_bytes for point in points)
    for point in selected:
        table.add_row(
            f"{point.event:,}", f"{point.live_objects:,}", format_bytes(point.live_bytes),
            bar(point.live_bytes, highest, BAR),
        )  # fmt: skip
    return table


def _sites_table(title: str, totals: list[SiteTotal]) -> Table:
    """Return the table of the first TOP call sites. `totals` is sorted by what `title` names."""
    calls, size = sum(site.calls for site in totals), sum(site.bytes for site in totals)
    table = simple_table()
    table.add_column(f"most {title}, by call site", no_wrap=True, max_width=60)
    for heading in ("calls", "", "total bytes", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("called by", no_wrap=True, max_width=70)
    for site in totals[:TOP]:
        table.add_row(
            site.frame.label, f"{site.calls:,}", percent(site.calls, calls),
            format_bytes(site.bytes), percent(site.bytes, size),
            " < ".join(caller.label for caller in site.callers),
        )  # fmt: skip
    return table


def history_json(history: History) -> dict[str, Any]:
    """Return the keys that the history adds to the JSON object of `trace info`."""
    return {
        "timeline": [point._asdict() for point in history.timeline],
        "call_sites": [
            {
                **_frame_json(site.frame),
                "calls": site.calls,
                "bytes": site.bytes,
                "callers": [_frame_json(caller) for caller in site.callers],
            }
            for site in history.sites
        ],
    }


def _frame_json(frame: Frame) -> dict[str, Any]:
    """Return a frame as JSON."""
    return dict(frame._asdict())
