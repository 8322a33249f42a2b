"""A result as Markdown, for a pull request or an issue.

Beside the other reports. Its one rule: plain GitHub tables, no colours, no bars.
"""

from __future__ import annotations

from allocsim.profile import PART_MEANINGS, Snapshot
from allocsim.reports import Result
from allocsim.reports.phrases import headline, percent, proved, verdict
from allocsim.text import format_bytes


def markdown_text(result: Result) -> str:
    """The report, ending with a newline."""
    profile = result.profile
    peak, end = profile.at_peak, profile.at_end
    lines = [
        f"## {headline(result)}",
        "",
        verdict(profile),
        "",
        "| part | at the peak | share | at the end | share | what it is |",
        "|---|---:|---:|---:|---:|---|",
        *(_part(name, peak, end) for name in PART_MEANINGS),
        _sum("heap", peak, end, "obtained from the OS for spans"),
        _sum("metadata", peak, end, "the allocator's own records"),
        _sum("**footprint**", peak, end, "heap - released + metadata"),
        "",
        f"Resident at the end: {format_bytes(profile.resident)}. "
        + " · ".join(f"{name} {count:,}" for name, count in {**end.spans, **end.counters}.items()),
        *(["", proved(profile)] if proved(profile) else []),
        "",
        f"`{result.command}`",
        "",
    ]
    return "\n".join(lines)


def _part(name: str, peak: Snapshot, end: Snapshot) -> str:
    """The row of a part."""
    cells = [
        cell
        for moment in (peak, end)
        for cell in (
            format_bytes(moment.parts[name]),
            percent(moment.parts[name], moment.footprint),
        )
    ]
    return f"| {name} | {' | '.join(cells)} | {PART_MEANINGS[name]} |"


def _sum(name: str, peak: Snapshot, end: Snapshot, meaning: str) -> str:
    """The row of a sum: the field of both snapshots that `name` says."""
    field = name.strip("*")
    cells = " | | ".join(format_bytes(getattr(moment, field)) for moment in (peak, end))
    return f"| {name} | {cells} | | {meaning} |"
