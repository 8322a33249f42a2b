"""Print the result of a replay: summary, parts of the heap, timeline, snapshots, counters."""

from __future__ import annotations

from collections.abc import Mapping

from allocsim.profile import (
    FOOTPRINT_MEANING,
    METADATA_MEANING,
    PART_MEANINGS,
    Profile,
    Snapshot,
)
from allocsim.reports import Result
from allocsim.reports.moments_table import moments_table
from allocsim.reports.phrases import (
    bar,
    dropped_calls,
    headline,
    percent,
    summary,
    verification,
)
from allocsim.reports.run_tables import caches_table, classes_table, native_table
from allocsim.reports.screen import NARROW, ROOMY, PlainText, Screen, Table, styled
from allocsim.reports.timeline import Line, timeline_table
from allocsim.text import format_bytes

MIN_COLUMNS = 3
"""Columns that are shown even on the narrowest terminal: name, bytes and share."""

COLOURS = {
    "live": "green",
    "rounding": "yellow",
    "tail": "yellow",
    "thread_cache": "cyan",
    "transfer": "cyan",
    "central": "cyan",
    "free_spans": "magenta",
    "released": "blue",
}
"""The colour of each part. Green is live memory, yellow is memory lost inside spans, and the other
colours are free memory."""


def print_result(
    result: Result, with_classes: bool = False, with_native: bool = False, note: str = ""
) -> None:
    """Print the whole report; `note` is added to its first line.

    `with_classes` adds the size classes and thread caches, `with_native` the counters of the
    library that the design reproduces.
    """
    screen, profile = Screen(), result.profile
    screen.print(styled("; ".join(filter(None, (headline(result), note))), "bold"))
    if profile.mode:
        screen.print(styled(profile.mode, ""))
    screen.print(styled(summary(profile), "bold green" if profile.at_peak.live else ""))
    screen.print("")
    screen.print_table(_parts_table(profile, screen.width), MIN_COLUMNS)
    screen.print("", _timeline(result, screen.width), "")
    chosen = profile.at_moment.event if profile.at_moment else None
    screen.print_table(moments_table(profile.moments, chosen))
    for items in _counts(profile):
        screen.print_items(items)
    if verification(profile):
        screen.print(styled(verification(profile), "green"))
    if result.trace.dropped:
        screen.print(styled(dropped_calls(result.trace), "yellow"))
    if with_classes or with_native:
        screen.print("")
    if with_classes:
        screen.print_table(classes_table(profile.classes))
        if profile.caches:
            screen.print_table(caches_table(profile.caches))
    if with_native:
        screen.print_table(native_table(profile.native_counters))


def _parts_table(profile: Profile, width: int) -> Table:
    """Return the table of the parts of the heap, at two moments.

    The first moment is the peak. The second is the moment that the user chose, or by default the
    end of the replay. A wide screen also shows the meaning of each part.
    """
    peak, end = profile.at_peak, profile.at_moment or profile.at_end
    second = f"after {end.event:,}" if profile.at_moment else "at end"
    bars = 20 if width >= NARROW else 6
    table = Table(box=None)
    table.add_column("", no_wrap=True)
    table.add_column("at peak", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", min_width=bars, no_wrap=True)
    table.add_column(second, justify="right", no_wrap=True)
    if width >= NARROW:
        table.add_column("", justify="right", no_wrap=True)
    if width >= ROOMY:
        table.add_column("", style="dim", no_wrap=True)
    meanings = {**_MEANINGS, **profile.part_meanings}
    parts = [name for name in PART_MEANINGS if peak.parts[name] or end.parts[name]]
    # `live` has a row even if it is 0.
    for name in parts if "live" in parts else ["live", *parts]:
        row = _row(name, peak, end, bars, meanings[name])
        table.add_row(*row[: len(table.columns)])
    for name in ("metadata", "footprint"):
        table.add_row(*_row(name, peak, end, bars, meanings[name])[: len(table.columns)])
    return table


def _row(name: str, peak: Snapshot, end: Snapshot, bars: int, meaning: str) -> list[PlainText]:
    """Return the cells of a row; `name` is "metadata", "footprint" or the name of a part."""
    style = "bold" if name == "footprint" else COLOURS.get(name, "")
    before, after = _bytes(peak, name), _bytes(end, name)
    share = "" if name == "footprint" else bar(before, peak.footprint, bars)
    strong = style if name == "footprint" else ""
    return [
        styled(name, style),
        styled(format_bytes(before), strong),
        styled(percent(before, peak.footprint)),
        styled(share, style),
        styled(format_bytes(after), strong),
        styled(percent(after, end.footprint)),
        styled(meaning),
    ]


_MEANINGS: Mapping[str, str] = {
    **PART_MEANINGS,
    "metadata": METADATA_MEANING,
    "footprint": FOOTPRINT_MEANING,
}


def _bytes(moment: Snapshot, name: str) -> int:
    """Return a number of bytes; `name` is "metadata", "footprint" or the name of a part."""
    return moment.parts[name] if name in moment.parts else int(getattr(moment, name))


def _timeline(result: Result, width: int) -> Table:
    """Return the lines of footprint and live bytes over the run, each scaled to its own peak."""
    profile = result.profile
    when = f", event {profile.at_peak.event:,}" if width >= NARROW else ""
    peak, live = profile.at_peak.footprint, profile.peak_live
    samples = {name: profile.samples[name].tolist() for name in ("footprint", "live")}
    lines = [
        Line("footprint", samples["footprint"], peak, f"peak {format_bytes(peak)}{when}", "bold"),
        Line("live", samples["live"], live, f"peak {format_bytes(live)}", "green"),
    ]
    return timeline_table(lines, profile.events, result.trace.times, max(min(60, width - 26), 8))


def _counts(profile: Profile) -> tuple[list[str], list[str]]:
    """Return the items of two lines: spans and counters, then resident bytes and event rate."""
    end = profile.at_end
    spans = f"{end.spans['total']:,} ({end.spans['in_use']:,} in use, {end.spans['free']:,} free)"
    counters = [f"{name} {count:,}" for name, count in end.counters.items()]
    rate = f"{profile.events_per_second / 1e6:.1f} M events/s in {profile.seconds:.2f} s"
    resident = f"resident {format_bytes(profile.resident)} of {format_bytes(end.heap)} heap"
    return [f"{profile.spans} {spans}", *counters], [resident, rate]
