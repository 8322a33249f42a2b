"""`allocsim trace check`."""

from __future__ import annotations

import click

from allocsim.cli.options import recording_options


@click.command("check")
@click.argument("trace", metavar="TRACE")
@click.option("--strict", is_flag=True, help="Fail (exit 1) if the import left anything out.")
@recording_options
def command(trace: str, strict: bool, form: str | None, process: int | None) -> None:
    """Say whether a trace is sound.

    And what its import left out, and why. Fails (exit 1) if it holds no event, if an event
    allocates what is live, or frees or resizes what is not, if thread numbers have holes, or if a
    file of allocsim's own does not hold what it says.
    """
    from allocsim.cli.trace._io import surveyed
    from allocsim.errors import CheckFailed
    from allocsim.reports.trace_check import print_soundness
    from allocsim.traces.problems import problems_of

    recorded, seen = surveyed(trace, form, process)
    problems = problems_of(recorded, seen)
    print_soundness(recorded, seen, problems)
    if not seen.events:
        raise CheckFailed(f"{trace}: it holds no event, so there is nothing to replay")
    if problems:
        raise CheckFailed(f"{trace} is not sound: {problems[0]}")
    if strict and recorded.dropped:
        left_out = sum(recorded.dropped.values())
        raise CheckFailed(f"{trace}: its import left out or mended {left_out:,} calls (--strict)")
