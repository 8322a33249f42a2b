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
    """Show calls, sizes, lifetimes, live bytes and call sites of a trace.

    The lifetime of an object is the number of events from its allocation to its free. Call sites
    are shown if the trace has them; --json lists all. A call site is the innermost function and
    line that belongs neither to the allocator nor to the runtime of the language.
    """
    from allocsim.cli.drive import command_line
    from allocsim.cli.trace._io import read_history
    from allocsim.reports.trace_info import survey_text

    recorded, stats, history = read_history(trace, form, process)
    if as_json:
        click.echo(survey_text(recorded, stats, command_line(), history))
        return
    from allocsim.reports.trace_info import print_survey

    print_survey(recorded, stats, history)
