"""The result of a replay as text: Markdown for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from allocsim import __version__
from allocsim.atomic_file import atomic_write
from allocsim.profile import FOOTPRINT_MEANING, METADATA_MEANING, PART_MEANINGS, Snapshot
from allocsim.reports import Result
from allocsim.reports.markdown import code_span, plain
from allocsim.reports.phrases import headline, percent, summary, verification
from allocsim.reports.trace_warnings import trace_warnings
from allocsim.text import format_bytes

SCHEMA = "allocsim/profile/1"
"""Name and version of the JSON object. The version changes when a key is removed or gets another
meaning. docs/report-schemas.md describes the fields."""


def markdown_text(result: Result) -> str:
    """Return the report as plain GitHub Markdown, ending with a newline."""
    profile = result.profile
    peak, end = profile.at_peak, profile.at_end
    meanings = {**PART_MEANINGS, "metadata": METADATA_MEANING, **profile.part_meanings}
    counts = " · ".join(
        f"{plain(name)} {count:,}" for name, count in {**end.spans, **end.counters}.items()
    )
    lines = [
        f"## {plain(headline(result))}",
        "",
        *([plain(profile.mode), ""] if profile.mode else []),
        summary(profile),
        "",
        "| part | at peak | share | at end | share | meaning |",
        "|---|---:|---:|---:|---:|---|",
        *(_part_row(name, peak, end, meanings[name]) for name in PART_MEANINGS),
        _sum_row("heap", peak, end, "obtained from the OS for spans"),
        _sum_row("metadata", peak, end, meanings["metadata"]),
        _sum_row("**footprint**", peak, end, FOOTPRINT_MEANING),
        "",
        f"Resident at the end: {format_bytes(profile.resident)}. {counts}",
        *(["", verification(profile)] if verification(profile) else []),
        "",
        code_span(result.command),
        "",
    ]
    return "\n".join(lines)


def _part_row(name: str, peak: Snapshot, end: Snapshot, meaning: str) -> str:
    """Return the row of a part."""
    cells = []
    for moment in (peak, end):
        size = moment.parts[name]
        cells += [format_bytes(size), percent(size, moment.footprint)]
    return f"| {plain(name)} | {' | '.join(cells)} | {plain(meaning)} |"


def _sum_row(name: str, peak: Snapshot, end: Snapshot, meaning: str) -> str:
    """Return the row of a sum; `name`, with or without asterisks, is a field of Snapshot."""
    field = name.strip("*")
    cells = " | | ".join(format_bytes(getattr(moment, field)) for moment in (peak, end))
    return f"| {name} | {cells} | | {plain(meaning)} |"


def as_json(result: Result) -> dict[str, Any]:
    """Return the object that --json prints."""
    profile, end = result.profile, result.profile.at_end
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": result.command,
        "seed": result.trace.seed,
        "workload": {"name": result.trace.name, **result.trace.description},
        "dropped": result.trace.dropped,
        "notes": result.trace.notes,
        "warnings": trace_warnings(result.trace, profile=profile),
        "design": result.design,
        "parameters": dict(result.parameters),
        "mode": profile.mode,
        "events": profile.events,
        "at_peak": profile.at_peak.as_json(),
        "at_end": {**end.as_json(), "resident": profile.resident},
        **({"at_moment": profile.at_moment.as_json()} if profile.at_moment else {}),
        "moments": [moment.as_json() for moment in profile.moments],
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
    """Return the JSON object as indented text, without a newline at its end."""
    return json.dumps(as_json(result), indent=2)


def csv_text(result: Result) -> str:
    """Return the samples as CSV: a row of column names, then a row for each sample."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.profile.samples.dtype.names or ())
    writer.writerows(result.profile.samples.tolist())
    return text.getvalue()


def write_file(path: Path, content: str | bytes) -> None:
    """Write text, in UTF-8, or bytes to the file at `path`.

    On failure, raises EnvironmentLacks and leaves an existing file as it was.
    """
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")
    with atomic_write(path) as file:
        file.write(content)
