"""The result of `allocsim tune` as JSON, and the file that `--set size_classes=FILE` reads.

docs/tuning-schema.md describes the fields.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from allocsim import __version__
from allocsim.designs.table_parameter import TUNING_SCHEMA, table_json
from allocsim.tuning.question import Question
from allocsim.tuning.search import Search
from allocsim.tuning.tuning import Row, Tuning
from allocsim.tuning.verdict import objections, remarks


def table_text(tuning: Tuning) -> str:
    """Return the table as the JSON that `--set size_classes=FILE` reads."""
    rows = _classes(tuning.question, tuning.table)
    return json.dumps(table_json(tuning.question.design_name, rows), indent=2)


def source_text(tuning: Tuning) -> str:
    """Return the table as source text for the allocator that the design models."""
    question = tuning.question
    return question.rules.source(tuning.table, question.parameters)


def tuning_json(tuning: Tuning, command: str) -> str:
    """Return the result as indented JSON."""
    return json.dumps(as_json(tuning, command), indent=2)


def as_json(tuning: Tuning, command: str) -> dict[str, Any]:
    """Return the result as a JSON object; `command` is the command line. Sizes are in bytes.

    `--set size_classes=FILE` can also read this object, because it has the key `classes`.
    """
    question = tuning.question
    before, after = tuning.objective
    return {
        "schema": TUNING_SCHEMA,
        "version": __version__,
        "command": command,
        "design": question.design_name,
        "parameters": question.design.shown(question.parameters),
        "floor": question.floor,
        "charge": tuning.charge,
        "objective": {"now": before, "new": after},
        "recommended": not objections(tuning),
        "objections": objections(tuning),
        "remarks": remarks(tuning),
        "workloads": [_row(row) for row in tuning.rows],
        "held_back": [_row(row) for row in tuning.held_back],
        "left_out": [_row(row) for row in tuning.left_out],
        "proposals": [
            {"charge": each.charge, "classes": len(each.table), "in_spans_ratio": each.score}
            for each in tuning.proposals
        ],
        "search": None if tuning.search is None else _search(tuning.search),
        "classes": _classes(question, tuning.table),
        "today": _classes(question, question.own_table),
    }


def _row(row: Row) -> dict[str, Any]:
    """Return the figures of a workload."""
    return {
        "name": row.name,
        "peak_live": row.peak_live,
        "predicted_change": row.predicted,
        "now": asdict(row.now),
        "new": asdict(row.new),
    }


def _search(search: Search) -> dict[str, Any]:
    """Return the figures of the search."""
    return {
        "replays": search.replays,
        "seconds": search.seconds,
        "seed": search.seed,
        "interrupted": search.interrupted,
        "in_spans_ratio": search.best.score,
    }


def _classes(question: Question, sizes: Sequence[int]) -> list[dict[str, int]]:
    """Return the classes of a table with their spans."""
    return [
        {"size": size, **question.rules.span_of(size, question.parameters)._asdict()}
        for size in sizes
    ]
