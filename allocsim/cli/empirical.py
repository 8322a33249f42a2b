"""`allocsim empirical`."""

from __future__ import annotations

import click

from allocsim.cli.options import Settings, driver_options, seed_option
from allocsim.cli.types import CountType, SizeType


@click.command("empirical")
@click.argument("file", metavar="FILE.csv")
@click.option(
    "--heap",
    type=SizeType(),
    default=64 << 20,
    show_default="64MiB",
    help="Bytes that live on average; the table's counts are scaled to it.",
)
@click.option(
    "--ops", type=CountType(), default=1 << 20, show_default="2^20", help="Births and deaths."
)
@click.option(
    "--threads",
    type=CountType(1, 65536),
    default=1,
    show_default=True,
    help="Threads that share the events at random, each with a cache of its own.",
)
@seed_option
@driver_options
def command(settings: Settings, file: str, heap: int, ops: int, threads: int, seed: int) -> None:
    """Keep a heap in the steady state that a table of sizes and rates describes.

    Each line of the table is `SIZE, ALLOC_RATE, NUM_LIVE`, as in fleetbench's tables of Google's
    programs. A population as it lives is allocated first; then sizes are born by their rates and
    die by their lives.
    """
    from allocsim.cli.drive import drive
    from allocsim.jobs import make_generator

    parameters = {"file": file, "heap": heap, "ops": ops, "threads": threads, "seed": seed}
    drive(make_generator({"kind": "empirical", **parameters}).trace(file), settings)
