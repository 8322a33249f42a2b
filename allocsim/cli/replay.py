"""`allocsim replay`."""

from __future__ import annotations

import click

from allocsim.cli.completion import complete_recording
from allocsim.cli.options import Settings, driver_options, recording_options, threads_option


@click.command("replay")
@click.argument("trace", metavar="TRACE", shell_complete=complete_recording)
@threads_option
@recording_options
@driver_options
def command(
    settings: Settings, trace: str, threads: str, form: str | None, process: int | None
) -> None:
    """Replay a recorded trace.

    TRACE is a file (compressed or not), a bundled recording, or - for standard input. Its format is
    detected; `allocsim list formats` shows the known formats. Calls that cannot be replayed are
    dropped or repaired, and counted.
    """
    from allocsim.cli.drive import drive
    from allocsim.events import on_one_thread
    from allocsim.workloads import open_recording

    recorded = open_recording(trace, form, process)
    drive(on_one_thread(recorded) if threads == "one" else recorded, settings)
