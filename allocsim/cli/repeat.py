"""`allocsim repeat`."""

from __future__ import annotations

import click

from allocsim.cli.options import Settings, driver_options
from allocsim.cli.types import CountType, SizeType


@click.command("repeat")
@click.option(
    "--size", type=SizeType(), help="The one size; otherwise 1, 2, 4 bytes and on to 4 MiB."
)
@click.option(
    "--rounds",
    type=CountType(),
    default=1024,
    show_default=True,
    help="Rounds; the seed made 65,536.",
)
@driver_options
def command(settings: Settings, size: int | None, rounds: int) -> None:
    """Allocate and free the same sizes again and again, frozen after the first round.

    A heap that reuses its memory asks the OS for nothing in later rounds; one that does fails
    (exit 1). This is testrepeat of Go's first malloc.
    """
    if size is not None and size > settings.reserve:
        raise click.BadParameter(
            f"{size} bytes are more than the {settings.reserve} that --reserve gives the heap",
            param_hint="--size",
        )
    from allocsim.cli.drive import drive
    from allocsim.jobs import make_generator

    parameters = {"kind": "repeat", "rounds": rounds}
    if size is not None:
        parameters["sizes"] = [size]
    drive(make_generator(parameters).trace("repeat"), settings)
