"""`allocsim replay`."""

from __future__ import annotations

import click

from allocsim.cli.completion import complete_recording
from allocsim.cli.options import Settings, driver_options, recording_options


@click.command("replay")
@click.argument("trace", metavar="TRACE", shell_complete=complete_recording)
@click.option(
    "--threads",
    type=click.Choice(["recorded", "one"]),
    default="recorded",
    show_default=True,
    help="recorded: each recorded thread has its own cache. one: all threads share a single cache.",
)
@recording_options
@driver_options
def command(
    settings: Settings, trace: str, threads: str, form: str | None, process: int | None
) -> None:
    """Replay a recorded trace.

    TRACE is a file, compressed or not, a bundled recording, or - for standard input. Its format is
    detected; `allocsim list formats` shows the known formats. Calls that cannot be replayed are
    dropped or repaired, and counted.
    """
    from allocsim.cli.drive import drive
    from allocsim.events import on_one_thread
    from allocsim.workloads import open_recording

    recorded = open_recording(trace, form, process)
    drive(on_one_thread(recorded) if threads == "one" else recorded, settings)
