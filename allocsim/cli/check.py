"""`allocsim check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from allocsim.cli.completion import complete_file, complete_workload
from allocsim.cli.measure_options import (
    measuring_options,
    require_not_given,
    require_not_measuring,
    tolerance_options,
)
from allocsim.cli.output import log
from allocsim.cli.types import PercentType, SizeType, TimeType

if TYPE_CHECKING:
    from allocsim.benchmark.comparison import Comparison
    from allocsim.benchmark.figures import Row
    from allocsim.limits import Finding
    from allocsim.saved_results import SavedResult, SubjectFigures


@click.command("check")
@click.argument("subject", metavar="RESULT.json|WORKLOAD", shell_complete=complete_workload)
@click.option("--max-footprint", type=SizeType(), help="Maximum peak footprint.")
@click.option(
    "--max-fragmentation", type=PercentType(), help="Maximum fragmentation at the peak, as in 25%."
)
@click.option("--max-ns", type=TimeType(), help="Maximum nanoseconds per event.")
@click.option(
    "--against",
    metavar="BASE.json",
    shell_complete=complete_file,
    help="Baseline; fail if the result is worse by more than the tolerance.",
)
@tolerance_options
@click.option("--json", is_flag=True, help="Print the findings as one JSON object.")
@measuring_options
def command(subject: str, **options: Any) -> None:
    """Fail (exit 1) if a result exceeds a limit or a baseline.

    RESULT.json is a file that --export-json has written. A WORKLOAD is first measured, as by
    `compare`, on the allocators that --on names. Without --on, a recording is measured on glibc,
    and any other workload on go2008. Every allocator in the result is checked.
    """
    if all(options[name] is None for name in (*_LIMITS, "against")):
        raise click.UsageError(
            "nothing to check; give --max-footprint, --max-fragmentation, --max-ns or --against"
        )
    if options["against"] is None:
        require_not_given("tolerance", "time_tolerance", needs="--against")
    from allocsim.cli.thresholds import compare_with, read_baseline, report, tolerance_of

    against, tolerance = options["against"], tolerance_of(options)
    baseline = read_baseline(against, tolerance) if against else None
    result = _result(subject, options)
    findings = _limits(result, options)
    if baseline:
        findings += compare_with(baseline, result, tolerance)
    report(findings, result, baseline, options["json"])


_LIMITS = ("max_footprint", "max_fragmentation", "max_ns")

FOR_RESULTS = ("subject", *_LIMITS, "against", "tolerance", "time_tolerance", "json")
"""The parameters that apply to a saved result."""


def _result(subject: str, options: dict[str, Any]) -> SavedResult:
    """Return the result to check: read it if `subject` is a .json file, else measure a workload."""
    if subject.endswith(".json"):
        from allocsim.saved_results import read_saved

        require_not_measuring(FOR_RESULTS)
        return read_saved(subject)
    from allocsim.cli.measure_options import measure, subjects_of

    subjects = subjects_of(options["on"]) if options["on"] else []
    timed = options["max_ns"] is not None or options["time_tolerance"] is not None
    comparison = measure(subject, subjects, options, timed)
    if comparison.caution:
        log(f"warning: {comparison.caution}")
    return _saved(comparison)


def _saved(comparison: Comparison) -> SavedResult:
    """Return the figures of a comparison in the form of a saved result."""
    from allocsim import __version__
    from allocsim.saved_results import Origin, SavedResult

    workload, conditions = comparison.workload, comparison.conditions
    origin = Origin(
        version=__version__,
        workload=workload.trace.name,
        events=workload.events,
        seed=workload.trace.seed,
        threads="recorded" if workload.recorded else "one",
        touch=conditions.touch.name.lower(),
        runs=conditions.runs if conditions.timed else None,
        clock="cpu",
    )
    return SavedResult([_figures(row) for row in comparison.rows], origin)


def _figures(row: Row) -> SubjectFigures:
    """Return those figures of a row that `check` compares with limits and baselines."""
    from allocsim.saved_results import SubjectFigures

    if row.failure is not None or row.memory is None:
        return SubjectFigures(row.subject, failure=row.failure)
    return SubjectFigures(
        subject=row.subject,
        footprint=row.memory.peak,
        end=row.memory.end,
        fragmentation=row.memory.fragmentation,
        ns=row.times.ns if row.times else None,
        runs=tuple(row.times.runs) if row.times else (),
        version=row.about.version,
    )


def _limits(result: SavedResult, options: dict[str, Any]) -> list[Finding]:
    """Check every subject against every limit."""
    from allocsim.limits import FOOTPRINT, FRAGMENTATION, TIME, check_limit

    figure_of = dict(zip(_LIMITS, (FOOTPRINT, FRAGMENTATION, TIME), strict=True))
    return [
        check_limit(figures, f"--{name.replace('_', '-')}", figure, options[name])
        for figures in result.subjects
        for name, figure in figure_of.items()
        if options[name] is not None
    ]
