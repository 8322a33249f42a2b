"""A result as one JSON object: for CI jobs and other programs.

Beside the other reports. Its one rule: names and types stay as DESIGN promises them under one
number of SCHEMA; bytes are whole numbers.
"""

from __future__ import annotations

import json
from typing import Any

from allocsim import __version__
from allocsim.reports import Result

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
