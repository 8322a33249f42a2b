"""Findings of `check` and `compare A B`: print each one, and fail if a limit is exceeded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from allocsim.cli.output import log
from allocsim.errors import CheckFailed, InputError
from allocsim.limits import Finding, Tolerance, check_baseline
from allocsim.saved_results import SavedResult, SubjectFigures, read_saved
from allocsim.text import counted, printable

SCHEMA = "allocsim/check/1"
"""Name and version of the JSON object. The version changes when a key is removed or gets another
meaning. docs/report-schemas.md describes the fields."""

MEASURED = "the result"
"""The name of a result that has no file."""


def tolerance_of(options: dict[str, Any]) -> Tolerance:
    """Return --tolerance and --time-tolerance. Without --time-tolerance, times are not compared."""
    return Tolerance(options["tolerance"], options["time_tolerance"])


def compare_saved(before: str, after: str, options: dict[str, Any]) -> None:
    """Compare two saved results; raise CheckFailed if the second one is worse."""
    for name in (before, after):
        if not name.endswith(".json"):
            raise InputError(
                f"'{name}' is not a saved result (.json); expected A.json B.json, or one WORKLOAD"
            )
    baseline, tolerance = read_baseline(before, tolerance_of(options)), tolerance_of(options)
    result = read_saved(after)
    report(compare_with(baseline, result, tolerance), result, baseline, options["json"])


def read_baseline(path: str, tolerance: Tolerance) -> SavedResult:
    """Read a baseline; raise InputError if it lacks the figures to compare with."""
    baseline = read_saved(path)
    measured = [figures for figures in baseline.subjects if figures.failure is None]
    if not measured:
        first = baseline.subjects[0]
        reason = f"{first.subject}: {first.failure}"
        raise InputError(f"{path} cannot be a baseline: all of its allocators failed ({reason})")
    untimed = [figures.subject for figures in measured if figures.ns is None]
    if untimed and tolerance.time is not None:
        raise InputError(f"{path} has no times of {', '.join(untimed)}: omit --time-tolerance")
    return baseline


def compare_with(baseline: SavedResult, result: SavedResult, tolerance: Tolerance) -> list[Finding]:
    """Compare a result with a baseline.

    Raises InputError if they have no allocator in common, or if times of different clocks would be
    compared.
    """
    first, second = _name(baseline), _name(result)
    before, after = ([figures.subject for figures in each.subjects] for each in (baseline, result))
    if not {*before} & {*after}:
        raise InputError(
            f"{first} and {second} have no allocator in common: {first} has {', '.join(before)}; "
            f"{second} has {', '.join(after)}"
        )
    if tolerance.time is not None:
        _require_same_clock(baseline, result)
    _note_differences(baseline, result)
    without = [figures.subject for figures in baseline.subjects if figures.failure is not None]
    if uncompared := [name for name in after if name not in before or name in without]:
        log(f"note: not compared, because {first} has no figures for: {', '.join(uncompared)}")
    return check_baseline(baseline.subjects, result.subjects, tolerance)


def _require_same_clock(baseline: SavedResult, result: SavedResult) -> None:
    """Raise InputError if one result has CPU times and the other wall-clock times."""
    clocks = [each.origin.clock for each in (baseline, result)]
    if None not in clocks and clocks[0] != clocks[1]:
        first, second = (
            f"{_name(each)} has {_CLOCKS[each.origin.clock or '']}" for each in (baseline, result)
        )
        raise InputError(
            f"{first}, {second}: measure both with the same version and command, or omit "
            "--time-tolerance"
        )


_CLOCKS = {"cpu": "CPU times", "wall": "wall-clock times"}
"""The values of `Origin.clock`, and their names in a message."""


def _note_differences(baseline: SavedResult, result: SavedResult) -> None:
    """Print a note for each condition that both results state, but with different values."""
    before, after = asdict(baseline.origin), asdict(result.origin)
    for key, word in _CONDITIONS.items():
        if None not in (before[key], after[key]) and before[key] != after[key]:
            log(
                f"note: different {word}: {_name(baseline)} has {before[key]}, "
                f"{_name(result)} has {after[key]}"
            )


_CONDITIONS = {
    "workload": "workloads",
    "events": "numbers of events",
    "seed": "random seeds",
    "threads": "--threads",
    "touch": "--touch",
}
"""The conditions that should be equal in two results, and their names in a note."""


def report(
    findings: Sequence[Finding],
    result: SavedResult,
    baseline: SavedResult | None,
    as_json: bool,
) -> None:
    """Print what was compared, and every finding; raise CheckFailed if a limit is exceeded."""
    failed = [finding for finding in findings if not finding.holds]
    if as_json:
        shown = {
            "schema": SCHEMA,
            "passed": not failed,
            "findings": [asdict(finding) for finding in findings],
            "result": _as_json(result),
            "baseline": _as_json(baseline) if baseline else None,
        }
        click.echo(json.dumps(shown, indent=2))
    else:
        for label, compared in (("base", baseline), ("result", result)):
            if baseline and compared:
                click.echo(printable(f"{label:<6}  {_described(compared)}"))
        for finding in findings:
            mark = "ok    " if finding.holds else "FAILED"
            click.echo(printable(f"{mark}  {finding.subject}: {finding.text}"))
    if failed:
        raise CheckFailed(f"{len(failed)} of {counted(len(findings), 'check')} failed")


def _name(result: SavedResult) -> str:
    """Return the name of a result in a message."""
    return result.origin.file or MEASURED


def _as_json(result: SavedResult) -> dict[str, Any]:
    """Return how a result was made, and the versions of its subjects."""
    versions = {figures.subject: figures.version for figures in result.subjects}
    return {**asdict(result.origin), "subjects": versions}


def _described(result: SavedResult) -> str:
    """Describe a result in one line: file, date, workload, runs, subjects and versions."""
    origin = result.origin
    file = f"{origin.file} ({origin.date})" if origin.date else origin.file or "measured now"
    facts = [
        origin.workload,
        None if origin.events is None else counted(origin.events, "event"),
        None if origin.runs is None else counted(origin.runs, "timed run"),
        None if origin.version is None else f"allocsim {origin.version}",
        *map(_subject, result.subjects),
    ]
    return f"{file}: {', '.join(filter(None, facts))}"


def _subject(figures: SubjectFigures) -> str:
    """Return a subject with its version."""
    return f"{figures.subject} {figures.version}" if figures.version else figures.subject
