"""`allocsim run`."""

from __future__ import annotations

import click

from allocsim.cli.completion import complete_job
from allocsim.cli.options import Settings, driver_options
from allocsim.cli.types import CountType


@click.command("run")
@click.argument("job", metavar="NAME|FILE.toml", shell_complete=complete_job)
@click.option(
    "--seed", type=CountType(0, 2**62), help="Random seed; overrides the seed of the job."
)
@driver_options
def command(settings: Settings, job: str, seed: int | None) -> None:
    """Run a bundled job or a job file.

    `allocsim list workloads` shows the bundled jobs. To write your own, start from one of them:
    `allocsim list workloads --show NAME > mine.toml`.
    """
    from allocsim.cli.drive import drive
    from allocsim.workloads import open_job

    drive(open_job(job, seed), settings)
