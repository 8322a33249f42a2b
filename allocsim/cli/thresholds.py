"""What `check` and `compare A B` do with findings: print each, and fail if one does not hold.

Above `limits` and `standing`. Its one rule: a limit that could not be looked at does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from allocsim.cli.output import log
from allocsim.errors import CheckFailed, InputError
from allocsim.limits import Finding, Tolerance, hold_against
from allocsim.saved_results import Saved, Standing, read_saved
from allocsim.text import printable

SCHEMA = "allocsim/check/1"
"""Changes when a key changes its meaning or goes."""


def tolerance_of(options: dict[str, Any]) -> Tolerance:
    """--tolerance, and --time-tolerance: without it times are not held against each other."""
    return Tolerance(options["tolerance"], options["time_tolerance"])


def compare_saved(before: str, after: str, options: dict[str, Any]) -> None:
    """Hold one saved result against another; CheckFailed if it is worse."""
    for name in (before, after):
        if not name.endswith(".json"):
            raise InputError(
                f"'{name}': two names are two saved results, A.json B.json; a workload is one name"
            )
    base, result = read_saved(before), read_saved(after)
    require_comparable(base, result.standings, (before, after))
    findings = hold_against(base.standings, result.standings, tolerance_of(options))
    if not findings:
        raise InputError(f"{before} has no figures to compare with: all of its subjects failed")
    note_workloads((before, base.workload), (after, result.workload))
    report(findings, options["json"])


def require_comparable(base: Saved, later: Sequence[Standing], names: tuple[str, str]) -> None:
    """InputError if two results have no subject in common; `names` are those of their files."""
    subjects = [[standing.subject for standing in each] for each in (base.standings, later)]
    if not {*subjects[0]} & {*subjects[1]}:
        listed = "; ".join(", ".join(each) for each in subjects)
        raise InputError(f"{names[0]} and {names[1]} have no subject in common: {listed}")


def note_workloads(before: tuple[str, str | None], after: tuple[str, str | None]) -> None:
    """Say so if two results, each a file and its workload, are not of the same workload."""
    if before[1] != after[1]:
        log(f"note: {before[0]} is of {before[1]}, {after[0]} of {after[1]}")


def report(findings: Sequence[Finding], as_json: bool) -> None:
    """Print every finding; CheckFailed if one does not hold."""
    failed = [finding for finding in findings if not finding.holds]
    if as_json:
        found = {
            "schema": SCHEMA,
            "passed": not failed,
            "findings": [asdict(finding) for finding in findings],
        }
        click.echo(json.dumps(found, indent=2))
    else:
        for finding in findings:
            mark = "ok    " if finding.holds else "FAILED"
            click.echo(printable(f"{mark}  {finding.subject}: {finding.text}"))
    if failed:
        raise CheckFailed(f"{len(failed)} of {len(findings)} limits do not hold")
