"""`allocsim trace`: show, check, convert, slice and sample traces.

TRACE may also be a job, which generates events from a few parameters. The commands show these
events, or write them to a file.
"""

from __future__ import annotations

import click

from allocsim.cli import LazyGroup

COMMANDS = {
    "info": "Show calls, sizes, lifetimes, live bytes and call sites of a trace.",
    "check": "Check whether a trace is valid.",
    "convert": "Write a trace in another format.",
    "cut": "Write a slice of a trace.",
    "sample": "Write a random sample of the objects of a trace.",
}
"""One-line summaries of the commands. For each command, the module of the same name contains a
function `command`."""


@click.group("trace", cls=LazyGroup, package=__name__, summaries=COMMANDS)
def command() -> None:
    """Show, check, convert, slice and sample traces.

    TRACE is a recording (a file, or - for standard input), a job file, or the name of a bundled
    workload.
    """
