"""`allocsim repeat`."""

from __future__ import annotations

import click

from allocsim.cli.options import Settings, driver_options
from allocsim.cli.types import CountType, SizeType


@click.command("repeat")
@click.option(
    "--size",
    type=SizeType(),
    help="Allocate only this size; by default, 1, 2, 4 bytes and so on up to 4 MiB.",
)
@click.option(
    "--rounds",
    type=CountType(),
    default=1024,
    show_default=True,
    help="Number of rounds; Go's testrepeat made 65,536.",
)
@driver_options
def command(settings: Settings, size: int | None, rounds: int) -> None:
    """Allocate and free the same sizes in every round.

    The heap is frozen after the first round: if a later round needs more memory from the OS, the
    command fails (exit 1). This is testrepeat of Go's first malloc.
    """
    if size is not None and size > settings.reserve:
        raise click.BadParameter(
            f"{size} bytes exceed the heap's --reserve of {settings.reserve} bytes",
            param_hint="--size",
        )
    from allocsim.cli.drive import drive
    from allocsim.jobs import make_generator

    parameters = {"kind": "repeat", "rounds": rounds}
    if size is not None:
        parameters["sizes"] = [size]
    drive(make_generator(parameters).trace("repeat"), settings)
