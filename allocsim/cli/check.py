"""`allocsim check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from allocsim.cli.completion import complete_file, complete_workload
from allocsim.cli.measure_options import measuring_options, tolerance_options
from allocsim.cli.output import log
from allocsim.cli.types import PercentType, SizeType, TimeType

if TYPE_CHECKING:
    from allocsim.limits import Finding
    from allocsim.saved_results import SavedResult


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

    RESULT.json is a file that --export-json has written. A WORKLOAD is measured first, as by
    `compare`, on go2008 unless --on says otherwise. All subjects are checked.
    """
    if all(options[name] is None for name in (*_LIMITS, "against")):
        raise click.UsageError(
            "nothing to check; give --max-footprint, --max-fragmentation, --max-ns or --against"
        )
    from allocsim.cli.thresholds import note_workloads, report, require_comparable
    from allocsim.saved_results import SavedResult, read_saved

    against = options["against"]
    baseline = read_saved(against) if against else SavedResult([], None)
    result = _result(subject, options)
    if against:
        require_comparable((against, baseline), (subject, result))
        note_workloads((against, baseline.workload), (subject, result.workload))
    report(_findings(baseline, result, options), options["json"])


_LIMITS = ("max_footprint", "max_fragmentation", "max_ns")


def _result(subject: str, options: dict[str, Any]) -> SavedResult:
    """Read a saved result, or measure a workload."""
    from allocsim.saved_results import SavedResult, SubjectFigures, read_saved

    if subject.endswith(".json"):
        return read_saved(subject)
    from allocsim.cli.measure_options import measure, subjects_of
    from allocsim.designs import DEFAULT

    log(f"note: {subject} is replayed on one thread")
    subjects = subjects_of(options["on"] or [DEFAULT])
    timed = options["max_ns"] is not None or options["time_tolerance"] is not None
    figures = [
        SubjectFigures(
            subject=row.subject,
            footprint=row.memory.peak if row.memory else None,
            end=row.memory.end if row.memory else None,
            fragmentation=row.memory.fragmentation if row.memory else None,
            ns=row.times.ns if row.times else None,
            failure=row.failure,
        )
        for row in measure(subject, subjects, options, timed).rows
    ]
    return SavedResult(figures, subject)


def _findings(baseline: SavedResult, result: SavedResult, options: dict[str, Any]) -> list[Finding]:
    """Check every subject against every limit and against the baseline."""
    from allocsim.cli.thresholds import tolerance_of
    from allocsim.limits import FOOTPRINT, FRAGMENTATION, TIME, check_baseline, check_limit

    figure_of = dict(zip(_LIMITS, (FOOTPRINT, FRAGMENTATION, TIME), strict=True))
    findings = [
        check_limit(figures, f"--{name.replace('_', '-')}", figure, options[name])
        for figures in result.subjects
        for name, figure in figure_of.items()
        if options[name] is not None
    ]
    tolerance = tolerance_of(options)
    return findings + check_baseline(baseline.subjects, result.subjects, tolerance)
