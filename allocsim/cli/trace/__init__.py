"""`allocsim trace`: look at traces, convert them, take pieces of them.

A group as lazy as the command line itself; one file for each command. Its one rule: TRACE may be
whatever `allocsim.workloads` understands, so a job is read_statistics and written like a recording.
"""

from __future__ import annotations

import click

from allocsim.cli import LazyGroup

COMMANDS = {
    "info": "Show what is in a trace.",
    "check": "Say whether a trace is sound.",
    "convert": "Write a trace in another format.",
    "cut": "Write a stretch of a trace.",
    "sample": "Write a share of a trace's objects.",
}
"""Each command in a line; the module that defines it as `command` has its name."""


@click.group("trace", cls=LazyGroup, package=__name__, summaries=COMMANDS)
def command() -> None:
    """Look at traces, convert them, take pieces of them.

    TRACE is a recording (a file, or - for standard input), a shipped trace or job by its name, or a
    job file.
    """
