"""`allocsim trace info`."""

from __future__ import annotations

import click

from allocsim.cli.completion import complete_workload
from allocsim.cli.options import recording_options


@click.command("info")
@click.argument("trace", metavar="TRACE", shell_complete=complete_workload)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
@recording_options
def command(trace: str, as_json: bool, form: str | None, process: int | None) -> None:
    """Show calls, sizes, lifetimes and peak live bytes of a trace.

    The lifetime of an object is the number of events from its allocation to its free.
    """
    from allocsim.cli.drive import command_line
    from allocsim.cli.trace._io import read_statistics
    from allocsim.reports.trace_info import survey_text

    recorded, seen = read_statistics(trace, form, process)
    if as_json:
        click.echo(survey_text(recorded, seen, command_line()))
        return
    from allocsim.reports.trace_info import print_survey

    print_survey(recorded, seen)
