"""`allocsim check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from allocsim.cli.measure_options import measuring_options, tolerance_options
from allocsim.cli.output import log
from allocsim.cli.types import PercentType, SizeType, TimeType

if TYPE_CHECKING:
    from allocsim.limits import Finding
    from allocsim.saved_results import Saved, Standing


@click.command("check")
@click.argument("subject", metavar="RESULT.json|WORKLOAD")
@click.option("--max-footprint", type=SizeType(), help="The most bytes at the peak.")
@click.option("--max-fragmentation", type=PercentType(), help="At the peak, as in 25%.")
@click.option("--max-ns", type=TimeType(), help="The most nanoseconds an event.")
@click.option("--against", metavar="BASE.json", help="A saved result that this must not be behind.")
@tolerance_options
@click.option("--json", is_flag=True, help="Print the findings as one JSON object.")
@measuring_options
def command(subject: str, **options: Any) -> None:
    """Fail (exit 1) if a result passes a limit: for CI jobs.

    RESULT.json is what --export-json of any driver or of compare has written. A WORKLOAD is played
    first, on go2008 unless --on says otherwise. Every subject has to keep every limit.
    """
    if all(options[name] is None for name in (*_LIMITS, "against")):
        raise click.UsageError(
            "nothing to check: give --max-footprint, --max-fragmentation, --max-ns or --against"
        )
    from allocsim.cli.thresholds import note_workloads, report, require_comparable
    from allocsim.saved_results import Saved, read_saved

    against = options["against"]
    base = read_saved(against) if against else Saved([], None)
    result = _result(subject, options)
    if against:
        require_comparable(base, result.standings, (against, subject))
        note_workloads((against, base.workload), (subject, result.workload))
    report(_findings(result.standings, base.standings, options), options["json"])


_LIMITS = ("max_footprint", "max_fragmentation", "max_ns")


def _result(subject: str, options: dict[str, Any]) -> Saved:
    """The figures of a saved result, or of a workload that is played now."""
    from allocsim.saved_results import Saved, read_saved

    if subject.endswith(".json"):
        return read_saved(subject)
    from allocsim.cli.measure_options import measured, subjects_of
    from allocsim.designs import DEFAULT
    from allocsim.saved_results import Standing

    log(f"note: {subject} is played on one thread")
    subjects = subjects_of(options["on"] or DEFAULT)
    timed = options["max_ns"] is not None or options["time_tolerance"] is not None
    standings = [
        Standing(
            subject=row.subject,
            footprint=row.memory.peak if row.memory else None,
            end=row.memory.end if row.memory else None,
            fragmentation=row.memory.fragmentation if row.memory else None,
            ns=row.times.ns if row.times else None,
            failure=row.failure,
        )
        for row in measured(subject, subjects, options, timed).rows
    ]
    return Saved(standings, subject)


def _findings(
    standings: list[Standing], base: list[Standing], options: dict[str, Any]
) -> list[Finding]:
    """Every limit that was asked for, on every subject."""
    from allocsim.cli.thresholds import tolerance_of
    from allocsim.limits import FOOTPRINT, FRAGMENTATION, TIME, hold_against, hold_to

    figures = dict(zip(_LIMITS, (FOOTPRINT, FRAGMENTATION, TIME), strict=True))
    found = [
        hold_to(standing, f"--{name.replace('_', '-')}", figure, options[name])
        for standing in standings
        for name, figure in figures.items()
        if options[name] is not None
    ]
    return found + hold_against(base, standings, tolerance_of(options))
