"""The differences between two workloads' explanations, as JSON (docs/explanation-schema.md)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from allocsim import __version__
from allocsim.events import Trace
from allocsim.explanation.change_sentences import change_sentences
from allocsim.explanation.changes import Change, Changes
from allocsim.reports.explanation_text import as_json

SCHEMA = "allocsim/explanation-changes/1"
"""Name and version of the JSON object. The version changes when a key is removed or gets another
meaning."""


def changes_json(changes: Changes, traces: tuple[Trace, Trace], command: str) -> str:
    """Return the changes as indented JSON, with all owners. Sizes are integers, in bytes."""
    return json.dumps(changes_as_dict(changes, traces, command), indent=2)


def changes_as_dict(changes: Changes, traces: tuple[Trace, Trace], command: str) -> dict[str, Any]:
    """Return the object that --json prints for two workloads."""
    before, after = changes.before, changes.after
    names = dict.fromkeys([*before.parts, *after.parts])
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": command,
        "before": as_json(before, traces[0], command),
        "after": as_json(after, traces[1], command),
        "footprint": _pair(changes, before.moment.footprint, after.moment.footprint),
        "live": _pair(changes, before.moment.live, after.moment.live),
        "parts": {
            name: _pair(changes, before.parts.get(name, 0), after.parts.get(name, 0))
            for name in names
        },
        "owners": [_owner(changes, change) for change in changes.owners],
        "sentences": change_sentences(changes),
    }


def _owner(changes: Changes, change: Change) -> dict[str, Any]:
    """Return the figures of an owner in both workloads."""
    sides = {"before": change.before, "after": change.after}
    return {
        "by": change.by,
        "name": change.name,
        **{side: None if owner is None else asdict(owner) for side, owner in sides.items()},
        "change": change.owned,
        "noise": changes.is_noise(change.owned),
    }


def _pair(changes: Changes, before: int, after: int) -> dict[str, Any]:
    """Return two sizes and their change."""
    change = after - before
    return {
        "before": before,
        "after": after,
        "change": change,
        "noise": changes.is_noise(change),
    }
