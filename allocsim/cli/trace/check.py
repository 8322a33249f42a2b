"""`allocsim trace check`."""

from __future__ import annotations

import click

from allocsim.cli.completion import complete_workload
from allocsim.cli.options import recording_options


@click.command("check")
@click.argument("trace", metavar="TRACE", shell_complete=complete_workload)
@click.option("--strict", is_flag=True, help="Fail (exit 1) if any call was dropped or repaired.")
@recording_options
def command(trace: str, strict: bool, form: str | None, process: int | None) -> None:
    """Check whether a trace is valid.

    The command also shows how many calls were dropped or repaired on import, and why. It fails
    (exit 1) if the trace has no events or is not valid. A trace is not valid if its recording is
    incomplete or has lost more than 5% of its calls, or if the header of a .allocsim file
    contradicts its events. Thread numbers must have no gaps. No event may allocate an object that
    is live, or free or resize an object that is not live.
    """
    from allocsim.cli.trace._io import read_statistics
    from allocsim.errors import CheckFailed
    from allocsim.reports.trace_check import print_validity
    from allocsim.text import counted
    from allocsim.traces.problems import problems_of

    recorded, stats = read_statistics(trace, form, process)
    problems = problems_of(recorded, stats)
    print_validity(recorded, stats, problems)
    if not stats.events:
        raise CheckFailed(f"{trace} has no events to replay")
    if problems:
        raise CheckFailed(f"{trace} is not valid: {problems[0]}")
    if strict and recorded.dropped:
        calls = counted(sum(recorded.dropped.values()), "call")
        raise CheckFailed(f"{trace}: {calls} dropped or repaired (--strict)")
