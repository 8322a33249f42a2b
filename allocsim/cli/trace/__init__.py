"""`allocsim trace`: look at traces, convert them, take pieces of them.

A group as lazy as the command line itself; one file for each command. Its one rule: TRACE may be
whatever `allocsim.workloads` understands, so a job is surveyed and written like a recording.
"""

from __future__ import annotations

import click

from allocsim.cli import LazyGroup

COMMANDS = {
    "info": "allocsim.cli.trace.info",
    "check": "allocsim.cli.trace.check",
    "convert": "allocsim.cli.trace.convert",
    "cut": "allocsim.cli.trace.cut",
    "sample": "allocsim.cli.trace.sample",
}
"""Each command and the module that defines it as `command`."""


@click.group("trace", cls=LazyGroup, modules=COMMANDS)
def command() -> None:
    """Look at traces, convert them, take pieces of them.

    TRACE is a recording (a file, or - for standard input), a shipped trace or job by its name, or a
    job file.
    """
