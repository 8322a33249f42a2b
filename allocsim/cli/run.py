"""`allocsim run`."""

from __future__ import annotations

import click

from allocsim.cli.options import Settings, driver_options
from allocsim.cli.types import CountType


@click.command("run")
@click.argument("job", metavar="NAME|FILE.toml")
@click.option("--seed", type=CountType(0, 2**62), help="Instead of the job's own seed.")
@driver_options
def command(settings: Settings, job: str, seed: int | None) -> None:
    """Run a job: a shipped workload by its name, or a job file of your own.

    `allocsim list workloads` shows the shipped ones; copy one to begin your own.
    """
    from allocsim.cli.drive import drive
    from allocsim.workloads import open_job

    drive(open_job(job, seed), settings)
