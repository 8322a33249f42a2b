"""A result on the screen: a table in which the eye finds the answer first.

Above the words that it shares with Markdown. Its one rule: in a pipe it has the same width as it
needs, never cut to a terminal that is not there.
"""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from allocsim.designs import CacheUse, ClassUse
from allocsim.profile import PART_MEANINGS, Profile, Snapshot
from allocsim.reports import Result
from allocsim.reports.phrases import bar, headline, left_out, percent, proved, sparkline, verdict
from allocsim.text import counted, format_bytes

WIDE = 132
"""Columns of a table that goes into a pipe or a file."""

ROOMY = 110
"""Columns from which on each part is explained in its row."""

NARROW = 92
"""Columns below which bars and names are shorter, and shares stand at the peak alone."""

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
    console.print(_parts_table(profile, console.width))
    console.print(_timeline(profile, max(min(60, console.width - 32), 8)))
    console.print(_counts(profile))
    if proved(profile):
        console.print(Text(proved(profile), style="green"))
    if result.trace.dropped:
        console.print(Text(left_out(result.trace), style="yellow"))
    if with_classes:
        console.print(classes_table(profile.classes))
        if profile.caches:
            console.print(caches_table(profile.caches))
    if natively:
        console.print(native_table(profile.native_counters))


def print_names(names: dict[str, str], heading: str | None = None) -> None:
    """Print a list of names with what each is; under a heading, if it is one of several."""
    console = screen()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    roomy = 2 * max(map(len, names), default=0) <= console.width
    table.add_column(style="bold", no_wrap=roomy)
    if roomy:
        table.add_column()
        for name, meaning in names.items():
            table.add_row(name, Text(meaning))
    else:  # no room beside the names: what each is stands below it
        for name, meaning in names.items():
            table.add_row(name)
            table.add_row(Padding(Text(meaning, style="not bold"), (0, 0, 0, 6)))
    if heading is None:
        console.print(table)
    else:
        console.print(Text(heading, style="bold underline"), table, "", sep="\n")


def _parts_table(profile: Profile, width: int) -> Table:
    """Where the bytes are, at the peak and at the end; with room also what each part is."""
    peak, end = profile.at_peak, profile.at_end
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("where the bytes are" if width >= NARROW else "part", no_wrap=True)
    table.add_column("at the peak", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    bars = 20 if width >= NARROW else 6
    table.add_column("of the footprint" if width >= NARROW else "", min_width=bars, no_wrap=True)
    table.add_column("at the end", justify="right", no_wrap=True)
    if width >= NARROW:
        table.add_column("", justify="right", no_wrap=True)
    if width >= ROOMY:
        table.add_column("what it is", style="dim")
    shown = [name for name in PART_MEANINGS if peak.parts[name] or end.parts[name]]
    for name in shown if "live" in shown else ["live", *shown]:
        moments = (peak.parts[name], end.parts[name])
        row = _row(name, moments, (peak.footprint, end.footprint), PART_MEANINGS[name], bars)
        table.add_row(*row[: len(table.columns)])
    moments = (peak.metadata, end.metadata)
    meaning = "page map, span records, caches"
    row = _row("metadata", moments, (peak.footprint, end.footprint), meaning, bars)
    table.add_row(*row[: len(table.columns)])
    table.add_section()
    table.add_row(*_sum_row(peak, end, width)[: len(table.columns)])
    return table


def _row(
    name: str, moments: tuple[int, int], wholes: tuple[int, int], meaning: str, bars: int
) -> list[Text | str]:
    """The cells of a part, bytes at the peak and at the end: the widest table's."""
    style = COLOURS.get(name, "")
    return [
        Text(name, style=style),
        format_bytes(moments[0]),
        percent(moments[0], wholes[0]),
        Text(bar(moments[0], wholes[0], bars), style=style),
        format_bytes(moments[1]),
        percent(moments[1], wholes[1]),
        meaning,
    ]


def _sum_row(peak: Snapshot, end: Snapshot, width: int) -> list[Text | str]:
    """The cells of the footprint, with the moment of its peak."""
    events = f"after {counted(peak.event, 'event')}" if width >= NARROW else ""
    return [
        Text("footprint", style="bold"),
        Text(format_bytes(peak.footprint), style="bold"),
        percent(peak.footprint, peak.footprint),
        events,
        Text(format_bytes(end.footprint), style="bold"),
        percent(end.footprint, end.footprint),
        "heap - released + metadata",
    ]


def _timeline(profile: Profile, width: int) -> Table:
    """Footprint and live bytes over the run, each to the height of its own peak."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for name, peak in (("footprint", profile.at_peak.footprint), ("live", profile.peak_live)):
        line = sparkline(profile.samples[name].tolist(), peak, width)
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


MOST_CACHES = 30
"""Thread caches that are shown, the fullest ones."""


def _table(title: str, *names: str) -> Table:
    """A table with columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name in names:
        table.add_column(name, justify="right")
    return table


def classes_table(classes: list[ClassUse]) -> Table:
    """The spans of each size class that has any, and where its free objects are."""
    tiers = any(use.slots for use in classes)
    names = ("in caches", "in slots", "slots", "in spans") if tiers else ("free",)
    table = _table("size classes", "class", "bytes", "spans", "in use", *names, "free bytes")
    table.add_column("in use of all", min_width=20)
    for use in classes:
        if use.spans:
            waiting = (use.cached, use.transfer, use.slots, use.central) if tiers else (use.free,)
            counts = (use.object_size, use.spans, use.in_use, *waiting)
            table.add_row(
                str(use.size_class),
                *(f"{count:,}" for count in counts),
                format_bytes(use.free * use.object_size),
                bar(use.in_use, use.in_use + use.free),
            )
    return table


def caches_table(caches: list[CacheUse]) -> Table:
    """The thread caches that hold most, against what they may hold."""
    shown = sorted(caches, key=lambda use: -use.held)[:MOST_CACHES]
    more = f", the {MOST_CACHES} fullest of {len(caches):,}" if len(caches) > MOST_CACHES else ""
    table = _table(f"thread caches{more}", "thread", "held", "may hold")
    table.add_column("held of that", min_width=20)
    for use in shown:
        name = "before main()" if use.thread is None else str(use.thread)
        held, most = format_bytes(use.held), format_bytes(use.most)
        table.add_row(name, held, most, bar(min(use.held, use.most), use.most))
    return table


def native_table(counters: dict[str, int]) -> Table:
    """The real library's counters under its own names; a row that says so if there are none."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.title = "as the library counts"
    table.add_column("counter", no_wrap=True)
    table.add_column("at the end", justify="right")
    for name, value in counters.items():
        table.add_row(name, f"{value:,}")
    if not counters:
        table.add_row("this design is no library's", "")
    return table
