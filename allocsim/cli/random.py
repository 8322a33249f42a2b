"""`allocsim random`."""

from __future__ import annotations

import click

from allocsim.cli.options import Settings, driver_options, seed_option
from allocsim.cli.types import CountType, SizeType


@click.command("random")
@click.option("--ops", type=CountType(), default=1 << 20, show_default="2^20", help="Steps.")
@click.option(
    "--slots",
    type=CountType(1, 2**31),
    default=1000,
    show_default=True,
    help="Places for objects; the seed had one. Half of them are full on average.",
)
@click.option(
    "--max-size",
    type=SizeType(0, 4 << 30),
    default=1 << 20,
    show_default="1MiB",
    help="Upper end of the sizes; with --sizes fixed, every size.",
)
@click.option(
    "--sizes",
    type=click.Choice(["log-uniform", "uniform", "fixed"]),
    default="log-uniform",
    show_default=True,
    help="The law of the sizes: log-uniform is the seed's.",
)
@click.option(
    "--threads",
    type=CountType(1, 65536),
    default=1,
    show_default=True,
    help="Threads that share the steps at random, each with a cache of its own.",
)
@seed_option
@driver_options
def command(
    settings: Settings, ops: int, slots: int, max_size: int, sizes: str, threads: int, seed: int
) -> None:
    """Put objects of random sizes into random slots, and free what is there.

    Each step picks a slot: if it holds an object, that is freed, otherwise one is allocated. This
    is testrandom of Go's first malloc.
    """
    if sizes == "log-uniform" and not max_size:
        raise click.BadParameter(
            "0 is no upper end of log-uniform sizes: expected 1 byte or more",
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
