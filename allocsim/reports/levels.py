"""The levels of a heap as tables: size classes, thread caches, the real library's counters.

Below `screen`, which prints them when they are asked for. Its one rule: a column that says nothing
for a design, because the design has no such level, is not shown.
"""

from __future__ import annotations

from rich import box
from rich.table import Table

from allocsim.designs import CacheUse, ClassUse
from allocsim.reports.phrases import bar
from allocsim.text import format_bytes

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
