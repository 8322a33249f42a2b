"""`allocsim trace convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from allocsim.cli.options import recording_options
from allocsim.cli.types import CountType


@click.command("convert")
@click.argument("trace", metavar="IN")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["allocsim", "aosp", "parquet"]),
    help="The format to write; otherwise the suffix of OUT decides.",
)
@click.option("--seed", type=CountType(0, 2**62), help="Instead of a job's own seed.")
@click.option("--force", is_flag=True, help="Replace OUT if it is there already.")
@recording_options
def command(
    trace: str, out: Path, to: str | None, seed: int | None, force: bool, **reading: Any
) -> None:
    """Write a trace in another format.

    .allocsim is allocsim's own file, which is mapped and not read: the way to replay a trace often.
    .txt and .txt.gz are Android's text, as memory_replay takes it. .parquet is for notebooks.
    """
    from allocsim.cli.trace._io import require_free, write_whole
    from allocsim.traces.writers import writer_for
    from allocsim.workloads import open_workload

    writer = writer_for(out, to)
    require_free(out, force)
    write_whole(open_workload(trace, seed, **reading), out, writer)
