"""`allocsim replay`."""

from __future__ import annotations

import click

from allocsim.cli.options import Settings, driver_options, recording_options


@click.command("replay")
@click.argument("trace", metavar="TRACE")
@click.option(
    "--threads",
    type=click.Choice(["recorded", "one"]),
    default="recorded",
    show_default=True,
    help="A cache for each recorded thread, or one for all.",
)
@recording_options
@driver_options
def command(
    settings: Settings, trace: str, threads: str, form: str | None, process: int | None
) -> None:
    """Replay a recorded trace: a file, packed or not, or - for standard input.

    `allocsim list formats` shows what can be read; the content tells which it is. What the
    recording holds that cannot be replayed is left out, counted and reported.
    """
    from allocsim.cli.drive import drive
    from allocsim.events import on_one_thread
    from allocsim.workloads import open_recording

    recorded = open_recording(trace, form, process)
    drive(on_one_thread(recorded) if threads == "one" else recorded, settings)
