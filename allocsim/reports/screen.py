"""A result on the screen: a table in which the eye finds the answer first.

Above the words that it shares with Markdown. Its one rule: in a pipe it has the same width as it
needs, never cut to a terminal that is not there.
"""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from allocsim.profile import PART_MEANINGS, Profile, Snapshot
from allocsim.quantities import format_bytes
from allocsim.reports import Result
from allocsim.reports.levels import caches_table, classes_table, native_table
from allocsim.reports.words import bar, headline, left_out, percent, sparkline, verdict

WIDE = 132
"""Columns of a table that goes into a pipe or a file."""

ROOMY = 110
"""Columns from which on each part is explained in its row."""

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
"""Each part's colour: green is useful, yellow is lost inside, the others wait to be used."""


def screen() -> Console:
    """Standard output: the terminal's width, or WIDE where it is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def print_result(result: Result, with_classes: bool = False, natively: bool = False) -> None:
    """Print the whole report; `natively`: also the real library's counters."""
    console, profile = screen(), result.profile
    console.print(Text(headline(result), style="bold"))
    console.print(Text(verdict(profile), style="bold green" if profile.at_peak.live else ""))
    console.print(_parts_table(profile, console.width >= ROOMY))
    console.print(_timeline(profile))
    console.print(_counts(profile))
    if result.trace.dropped:
        console.print(Text(left_out(result.trace), style="yellow"))
    if with_classes:
        console.print(classes_table(profile.classes))
        if profile.caches:
            console.print(caches_table(profile.caches))
    if natively:
        console.print(native_table(profile.native_counters))


def print_names(names: dict[str, str]) -> None:
    """Print a list of names with what each is."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, meaning in names.items():
        table.add_row(name, Text(meaning))
    screen().print(table)


def _parts_table(profile: Profile, explained: bool) -> Table:
    """Where the bytes are, at the peak and at the end; explained: with what each part is."""
    peak, end = profile.at_peak, profile.at_end
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("where the bytes are")
    table.add_column("at the peak", justify="right")
    table.add_column("", justify="right")
    table.add_column("of the footprint", min_width=20)
    table.add_column("at the end", justify="right")
    table.add_column("", justify="right")
    if explained:
        table.add_column("what it is", style="dim")
    for name, meaning in PART_MEANINGS.items():
        now, later = peak.parts[name], end.parts[name]
        if now or later or name == "live":
            table.add_row(
                Text(name, style=COLOURS[name]),
                format_bytes(now),
                percent(now, peak.footprint),
                Text(bar(now, peak.footprint), style=COLOURS[name]),
                format_bytes(later),
                percent(later, end.footprint),
                *([meaning] if explained else []),
            )
    _add_sum(table, "metadata", peak, end, ["page map, span records, caches"] * explained)
    table.add_section()
    _add_sum(table, "footprint", peak, end, ["heap - released + metadata"] * explained)
    return table


def _add_sum(table: Table, name: str, peak: Snapshot, end: Snapshot, meaning: list[str]) -> None:
    """Add the row of a figure that both snapshots have under `name`."""
    now, later = getattr(peak, name), getattr(end, name)
    bold = "bold" if name == "footprint" else ""
    table.add_row(
        Text(name, style=bold),
        Text(format_bytes(now), style=bold),
        percent(now, peak.footprint),
        bar(now, peak.footprint) if name != "footprint" else f"after {peak.event:,} events",
        Text(format_bytes(later), style=bold),
        percent(later, end.footprint),
        *meaning,
    )


def _timeline(profile: Profile) -> Table:
    """Footprint and live bytes over the run, each to the height of its own peak."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column()
    for name, peak in (("footprint", profile.at_peak.footprint), ("live", profile.peak_live)):
        line = sparkline(profile.samples[name].tolist(), peak)
        style = "green" if name == "live" else "bold"
        table.add_row(name, Text(line, style=style), f"peak {format_bytes(peak)}")
    return table


def _counts(profile: Profile) -> Text:
    """Spans, counters, resident bytes and the rate, in two lines."""
    end = profile.at_end
    spans = f"{end.spans['total']:,} ({end.spans['in_use']:,} in use, {end.spans['free']:,} free)"
    counters = " · ".join(f"{name} {count:,}" for name, count in end.counters.items())
    rate = f"{profile.events_per_second / 1e6:.1f} M events/s in {profile.seconds:.2f} s"
    return Text(
        f"\nspans {spans} · {counters}\n"
        f"resident {format_bytes(profile.resident)} of {format_bytes(end.heap)} heap · {rate}"
    )
