"""A survey of a trace as one JSON object.

Beside the other reports. Its one rule: names and types stay as DESIGN promises them under one
number of SCHEMA; bytes are whole numbers.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from allocsim import __version__
from allocsim.events import Op, Trace
from allocsim.trace_stats import Survey

SCHEMA = "allocsim/trace-info/1"
"""Changes when a key changes its meaning or goes."""


def survey_text(trace: Trace, seen: Survey, command: str) -> str:
    """The object as text, indented, without a newline at its end."""
    return json.dumps(as_json(trace, seen, command), indent=2)


def as_json(trace: Trace, seen: Survey, command: str) -> dict[str, Any]:
    """The object that --json prints."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": command,
        "workload": {"name": trace.name, **trace.description},
        "seed": trace.seed,
        "format": format_of(trace),
        "events": seen.events,
        "operations": {op.name.lower(): seen.operations[op.name] for op in Op},
        "threads": seen.threads,
        "allocations": seen.allocations,
        "reallocations": seen.reallocations,
        "frees": seen.frees,
        "frees_by_another_thread": seen.frees_by_another,
        "total_bytes": seen.requested,
        "peak_live": seen.peak_live,
        "peak_event": seen.peak_event,
        "live_at_end": {"objects": seen.live_objects, "bytes": seen.live_bytes},
        "dropped": trace.dropped,
        "notes": trace.notes,
        "sizes": [asdict(one) for one in seen.by_size],
        "sizes_never_freed": [asdict(one) for one in seen.left_by_size],
        "lifetime": {"mean": seen.mean_lifetime, "longest": seen.longest},
        "lifetimes": [asdict(one) for one in seen.by_lifetime],
    }


def format_of(trace: Trace) -> str:
    """The format of a recording; "job" for a synthetic workload."""
    return str(trace.description.get("format", "job"))
