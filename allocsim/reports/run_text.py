"""A result as Markdown, for a pull request or an issue.

Beside the other reports. Its one rule: plain GitHub tables, no colours, no bars.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from allocsim import __version__
from allocsim.atomic_file import written_whole
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


SCHEMA = "allocsim/profile/1"
"""Changes when a key changes its meaning or goes."""


def as_json(result: Result) -> dict[str, Any]:
    """The object that --json prints."""
    profile, end = result.profile, result.profile.at_end
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": result.command,
        "seed": result.trace.seed,
        "workload": {"name": result.trace.name, **result.trace.description},
        "dropped": result.trace.dropped,
        "notes": result.trace.notes,
        "design": result.design,
        "parameters": dict(result.parameters),
        "events": profile.events,
        "at_peak": profile.at_peak.as_json(),
        "at_end": {**end.as_json(), "resident": profile.resident},
        "peak_live": profile.peak_live,
        "spans": end.spans,
        "counters": end.counters,
        "native_counters": profile.native_counters,
        "verified": {"stamps": profile.stamps, "checks": profile.checks},
        "time": {
            "seconds": profile.seconds,
            "ns_per_event": profile.ns_per_event,
            "events_per_second": profile.events_per_second,
        },
    }


def json_text(result: Result) -> str:
    """The object as text, indented."""
    return json.dumps(as_json(result), indent=2)


def write_json(path: Path, result: Result) -> None:
    """Write the JSON object."""
    write_whole(path, json_text(result) + "\n")


def write_markdown(path: Path, result: Result) -> None:
    """Write the report as Markdown."""
    write_whole(path, markdown_text(result))


def write_csv(path: Path, result: Result) -> None:
    """Write the samples, one row each, under a row of names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.profile.samples.dtype.names or ())
    writer.writerows(result.profile.samples.tolist())
    write_whole(path, text.getvalue())


def write_whole(path: Path, text: str) -> None:
    """Make `path` hold `text`; EnvironmentLacks, and the old file as it was, if that fails."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
