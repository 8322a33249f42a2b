"""The tables of a run that are shown on request: size classes, thread caches, library counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allocsim.designs import CacheUse, ClassUse
from allocsim.reports.phrases import bar
from allocsim.reports.screen import Table, simple_table
from allocsim.text import format_bytes

MAX_CACHES = 30
"""Maximum number of thread caches that are shown, the fullest first."""


def classes_table(classes: Sequence[ClassUse]) -> Table:
    """Show the size classes that have spans: their spans, and where their free objects are."""
    has_tiers = any(use.slots for use in classes)
    free = ("in caches", "in transfer", "slots", "in spans") if has_tiers else ("free",)
    table = _numbers("size classes", "class", "bytes", "spans", "in use", *free, "free bytes")
    table.add_column("share in use", min_width=20, no_wrap=True)
    for use in classes:
        if use.spans:
            tiers = (use.cached, use.transfer, use.slots, use.central) if has_tiers else (use.free,)
            counts = (use.object_size, use.spans, use.in_use, *tiers)
            table.add_row(
                str(use.size_class),
                *(f"{count:,}" for count in counts),
                format_bytes(use.free * use.object_size),
                bar(use.in_use, use.in_use + use.free),
            )
    return table


def caches_table(caches: Sequence[CacheUse]) -> Table:
    """Show the fullest thread caches and their limits."""
    fullest = sorted(caches, key=lambda use: -use.size)[:MAX_CACHES]
    more = f", the {MAX_CACHES} fullest of {len(caches):,}" if len(caches) > MAX_CACHES else ""
    table = _numbers(f"thread caches{more}", "thread", "size", "limit")
    table.add_column("share of limit", min_width=20, no_wrap=True)
    for use in fullest:
        name = "before main()" if use.thread is None else str(use.thread)
        size, limit = format_bytes(use.size), format_bytes(use.limit)
        table.add_row(name, size, limit, bar(min(use.size, use.limit), use.limit))
    return table


def native_table(counters: Mapping[str, int]) -> Table:
    """Show the counters of the library that the design reproduces, by the library's own names.

    If the design reproduces no library, the table says so.
    """
    table = simple_table("counters of the library")
    table.add_column("counter", no_wrap=True)
    table.add_column("at end", justify="right")
    for name, value in counters.items():
        table.add_row(name, f"{value:,}")
    if not counters:
        table.add_row("this design reproduces no library", "")
    return table


def _numbers(title: str, *names: str) -> Table:
    """Return an empty table with columns of numbers."""
    table = simple_table(title)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table
