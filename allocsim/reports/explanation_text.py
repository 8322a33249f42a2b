"""An explanation as JSON. docs/explanation-schema.md describes the fields."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from allocsim import __version__
from allocsim.events import Trace
from allocsim.explanation.explanation import Explanation
from allocsim.reports.trace_warnings import trace_warnings

SCHEMA = "allocsim/explanation/1"
"""Name and version of the JSON object. The version changes when a key is removed or gets another
meaning."""


def explanation_json(explanation: Explanation, trace: Trace, command: str) -> str:
    """Return the explanation as indented JSON, with all owners. Sizes are integers, in bytes."""
    return json.dumps(as_json(explanation, trace, command), indent=2)


def warnings_of(explanation: Explanation, trace: Trace) -> list[str]:
    """Return the warnings about the recording and about the replay."""
    is_inferred = explanation.threads.ends == "inferred"
    return [*trace_warnings(trace, is_inferred), *explanation.cautions]


def as_json(explanation: Explanation, trace: Trace, command: str) -> dict[str, Any]:
    """Return the object that --json prints."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": command,
        "workload": {"name": trace.name, **trace.description},
        "dropped": trace.dropped,
        "notes": trace.notes,
        "warnings": [*warnings_of(explanation, trace)],
        "moments": [moment.as_json() for moment in explanation.moments],
        "moment": explanation.moment.as_json(),
        "subject": explanation.subject,
        "unit": explanation.unit,
        "threads": asdict(explanation.threads),
        "footprint": explanation.moment.footprint,
        "parts": explanation.parts,
        "owners": [asdict(owner) for owner in explanation.owners],
        "unowned": explanation.unowned,
        "nobody": explanation.unowned,  # the key's old name
        "what_if": [
            {
                "what": each.what,
                "footprint": each.footprint,
                "change": each.change,
                "how": each.how,
                "kind": each.kind,
                "group": each.group,
                "noise": each.is_noise(),
            }
            for each in explanation.what_ifs
        ],
        "top": None if explanation.top is None else asdict(explanation.top),
        "sentences": explanation.sentences,
    }
