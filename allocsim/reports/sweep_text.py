"""Machine-readable output of a sweep: the findings as JSON, the rows as CSV.

Sizes are integers, in bytes. A figure that was not measured is null in JSON and an empty field in
CSV.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from msgspec import to_builtins

from allocsim import __version__
from allocsim.reports.comparison_text import csv_cell
from allocsim.sweep.findings import PEAKS, TIMES, effects, overall, ranking
from allocsim.sweep.pareto_front import front
from allocsim.sweep.paste import line_of
from allocsim.sweep.results import Column, Result, Results
from allocsim.sweep.row import Footprint, Row, Speed

SCHEMA = "allocsim/sweep/1"
"""Name and version of the JSON object. The version changes when a key is removed or gets another
meaning."""

_OWN = [name for name in Row.__struct_fields__ if name not in ("memory", "times", "versions")]
_FIGURES = (*Footprint.__struct_fields__, *Speed.__struct_fields__)
FIELDS = (*_OWN, *_FIGURES)
"""The columns of the rows as CSV or Parquet."""


def sweep_json(results: Results, command: str) -> str:
    """Return the findings as an indented JSON object."""
    report = {
        "schema": SCHEMA,
        "version": __version__,
        "command": command,
        "workloads": [_column(results, column) for column in results.columns],
        "overall": {name: _overall(results, figure) for name, figure in _NAMES.items()},
        "effects": {name: _effects(results, figure) for name, figure in _NAMES.items()},
    }
    return json.dumps(report, indent=2)


def rows_csv(rows: Iterable[Row]) -> str:
    """Return the rows as CSV, with a line for each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in flat(row).items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Return a value as a CSV cell; strings are escaped (see `csv_cell`)."""
    return csv_cell(value) if isinstance(value, str) else value


def flat(row: Row) -> dict[str, Any]:
    """Return the fields of a row without nesting; the settings are joined into one string."""
    fields: dict[str, Any] = to_builtins(row)
    memory, times = fields.pop("memory") or {}, fields.pop("times") or {}
    del fields["versions"]
    fields["settings"] = " ".join(f"{key}={value}" for key, value in row.settings.items())
    return fields | {name: memory.get(name, times.get(name)) for name in _FIGURES}


_NAMES = {"footprint": PEAKS, "time": TIMES}


def _column(results: Results, column: Column) -> dict[str, Any]:
    """Return the results of a workload, the best by footprint first."""
    names = ranking(column.peaks, results.setting_counts)
    rest = [name for name in column.results if name not in column.peaks]
    return {
        "name": column.label,
        "events": column.events,
        "touch": column.touch,
        "threads": column.replay,
        "peak_live": column.peak_live,
        "front": front(column.peaks, column.times, column.time_ranges),
        "subjects": [_subject(name, column.results[name]) for name in (*names, *rest)],
    }


def _subject(name: str, result: Result) -> dict[str, Any]:
    """Return the figures of a subject, an allocator with its settings, on a workload."""
    keys = ("peak", "ns", "failure", "mean", "end")
    low, high = result.range_ns or (None, None)
    figures = {key: getattr(result, key) for key in keys}
    return {"subject": name} | figures | {"low": low, "high": high}


def _overall(results: Results, figure: str) -> list[dict[str, Any]]:
    """Return the figures of each subject over all workloads, the best subject first.

    The value of the key `line` goes before a program's command line. It assigns the environment
    variables that give the program the subject's settings.
    """
    return [
        {
            "subject": entry.subject,
            "mean": entry.mean,
            "best": entry.best,
            "worst": entry.worst,
            "worst_on": entry.worst_on,
            "line": line_of(results, entry.subject),
        }
        for entry in overall(results, figure)
    ]


def _effects(results: Results, figure: str) -> list[dict[str, Any]]:
    """Return the main effect of each setting, the largest first."""
    return [
        {
            "allocator": effect.allocator,
            "setting": effect.key,
            "effect": effect.size,
            "best": effect.best,
            "values": effect.levels,
            "combinations": effect.combinations,
        }
        for effect in effects(results, figure)
    ]
