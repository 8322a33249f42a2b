"""Findings of `check` and `compare A B`: print each one, and fail if a limit does not hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from allocsim.cli.output import log
from allocsim.errors import CheckFailed, InputError
from allocsim.limits import Finding, Tolerance, check_baseline
from allocsim.saved_results import SavedResult, read_saved
from allocsim.text import counted, printable

SCHEMA = "allocsim/check/1"
"""Version of the JSON object. It changes when a key changes its meaning or is removed."""


def tolerance_of(options: dict[str, Any]) -> Tolerance:
    """Return --tolerance and --time-tolerance. Without --time-tolerance, times are not compared."""
    return Tolerance(options["tolerance"], options["time_tolerance"])


def compare_saved(before: str, after: str, options: dict[str, Any]) -> None:
    """Compare two saved results; CheckFailed if the second one is worse."""
    for name in (before, after):
        if not name.endswith(".json"):
            raise InputError(
                f"'{name}' is not a saved result (.json); expected A.json B.json, or one WORKLOAD"
            )
    baseline, result = read_saved(before), read_saved(after)
    require_comparable((before, baseline), (after, result))
    findings = check_baseline(baseline.subjects, result.subjects, tolerance_of(options))
    if not findings:
        raise InputError(f"{before} has no figures to compare with: all of its subjects failed")
    note_workloads((before, baseline.workload), (after, result.workload))
    report(findings, options["json"])


def require_comparable(before: tuple[str, SavedResult], after: tuple[str, SavedResult]) -> None:
    """Raise InputError if two results have no subject in common.

    Each result is a file name and the contents of the file.
    """
    names = [[figures.subject for figures in result.subjects] for _, result in (before, after)]
    if not {*names[0]} & {*names[1]}:
        listed = "; ".join(", ".join(each) for each in names)
        raise InputError(f"{before[0]} and {after[0]} have no subject in common: {listed}")


def note_workloads(before: tuple[str, str | None], after: tuple[str, str | None]) -> None:
    """Print a note if two results are of different workloads.

    Each result is a file name and the name of the workload.
    """
    if before[1] != after[1]:
        log(f"note: different workloads: {before[0]} has {before[1]}, {after[0]} has {after[1]}")


def report(findings: Sequence[Finding], as_json: bool) -> None:
    """Print every finding; CheckFailed if a limit does not hold."""
    failed = [finding for finding in findings if not finding.holds]
    if as_json:
        result = {
            "schema": SCHEMA,
            "passed": not failed,
            "findings": [asdict(finding) for finding in findings],
        }
        click.echo(json.dumps(result, indent=2))
    else:
        for finding in findings:
            mark = "ok    " if finding.holds else "FAILED"
            click.echo(printable(f"{mark}  {finding.subject}: {finding.text}"))
    if failed:
        raise CheckFailed(f"{len(failed)} of {counted(len(findings), 'check')} failed")
