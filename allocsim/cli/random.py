"""`allocsim random`."""

from __future__ import annotations

import click

from allocsim.cli.options import Settings, driver_options, seed_option
from allocsim.cli.types import CountType, SizeType


@click.command("random")
@click.option(
    "--ops", type=CountType(), default=1 << 20, show_default="2^20", help="Number of steps."
)
@click.option(
    "--slots",
    type=CountType(1, 2**31),
    default=1000,
    show_default=True,
    help="Number of slots. A slot has room for one object; on average, half of the slots are full. "
    "Go's testrandom used one slot.",
)
@click.option(
    "--max-size",
    type=SizeType(0, 4 << 30),
    default=1 << 20,
    show_default="1MiB",
    help="Maximum size; with --sizes fixed, the size of all objects.",
)
@click.option(
    "--sizes",
    type=click.Choice(["log-uniform", "uniform", "fixed"]),
    default="log-uniform",
    show_default=True,
    help="Distribution of sizes; Go's testrandom used log-uniform.",
)
@click.option(
    "--threads",
    type=CountType(1, 65536),
    default=1,
    show_default=True,
    help="Number of threads. Each step is made by a thread chosen at random; every thread has its "
    "own cache.",
)
@seed_option
@driver_options
def command(
    settings: Settings, ops: int, slots: int, max_size: int, sizes: str, threads: int, seed: int
) -> None:
    """Allocate objects of random sizes in random slots, and free them.

    Each step picks a slot. If the slot holds an object, the step frees the object; otherwise, the
    step allocates one there. The test program testrandom of Go's first malloc (2008) did the same.
    """
    if sizes == "log-uniform" and not max_size:
        raise click.BadParameter(
            "log-uniform sizes need a maximum of 1 byte or more",
            param_hint="--max-size",
        )
    from allocsim.cli.drive import drive
    from allocsim.jobs import make_generator

    bound = "bytes" if sizes == "fixed" else "max"
    generator = make_generator(
        {
            "kind": "random",
            "ops": ops,
            "slots": slots,
            "threads": threads,
            "seed": seed,
            "size": {"distribution": sizes, bound: max_size},
        }
    )
    drive(generator.trace("random"), settings)
