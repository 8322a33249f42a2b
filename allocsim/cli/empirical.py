"""`allocsim empirical`."""

from __future__ import annotations

import click

from allocsim.cli.completion import complete_file
from allocsim.cli.options import Settings, driver_options, seed_option
from allocsim.cli.types import CountType, SizeType


@click.command("empirical")
@click.argument("file", metavar="FILE.csv", shell_complete=complete_file)
@click.option(
    "--heap",
    type=SizeType(),
    default=64 << 20,
    show_default="64MiB",
    help="Live bytes on average; the counts of the table are scaled to it.",
)
@click.option(
    "--ops",
    type=CountType(),
    default=1 << 20,
    show_default="2^20",
    help="Allocations and frees.",
)
@click.option(
    "--threads",
    type=CountType(1, 65536),
    default=1,
    show_default=True,
    help="Threads, one of which makes each event, at random; each has its own cache.",
)
@seed_option
@driver_options
def command(settings: Settings, file: str, heap: int, ops: int, threads: int, seed: int) -> None:
    """Replay a steady state given as a table of sizes and rates.

    Each line of the table is `SIZE, ALLOC_RATE, NUM_LIVE`, as in fleetbench's tables of Google's
    programs. The live objects of all sizes are allocated first; then sizes are allocated at their
    rates and objects freed so that the number of live ones stays the same on average.
    """
    from allocsim.cli.drive import drive
    from allocsim.jobs import make_generator

    parameters = {"file": file, "heap": heap, "ops": ops, "threads": threads, "seed": seed}
    drive(make_generator({"kind": "empirical", **parameters}).trace(file), settings)
