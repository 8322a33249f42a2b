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
    help="Average number of live bytes; the table's NUM_LIVE column is scaled to match.",
)
@click.option(
    "--ops",
    type=CountType(),
    default=1 << 20,
    show_default="2^20",
    help="Total number of allocations and frees after the initial allocations.",
)
@click.option(
    "--threads",
    type=CountType(1, 65536),
    default=1,
    show_default=True,
    help="Number of threads. Each event is made by a thread chosen at random; every thread has its "
    "own cache.",
)
@seed_option
@driver_options
def command(settings: Settings, file: str, heap: int, ops: int, threads: int, seed: int) -> None:
    """Replay a steady state given as a table of sizes and rates.

    Each line of the table is `SIZE, ALLOC_RATE, NUM_LIVE`, as in fleetbench's tables of Google's
    programs. First, the live objects of all sizes are allocated. Then objects of each size are
    allocated at that size's rate, and objects are freed so that the number of live objects stays
    the same on average.
    """
    from allocsim.cli.drive import drive
    from allocsim.jobs import make_generator

    parameters = {"file": file, "heap": heap, "ops": ops, "threads": threads, "seed": seed}
    drive(make_generator({"kind": "empirical", **parameters}).trace(file), settings)
