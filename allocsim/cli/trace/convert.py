"""`allocsim trace convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from allocsim.cli.completion import complete_workload
from allocsim.cli.options import recording_options
from allocsim.cli.types import CountType


@click.command("convert")
@click.argument("trace", metavar="IN", shell_complete=complete_workload)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["allocsim", "aosp", "parquet"]),
    help="Format to write; by default the suffix of OUT decides. parquet needs allocsim[parquet].",
)
@click.option(
    "--seed", type=CountType(0, 2**62), help="Random seed; overrides the seed of a job file."
)
@click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
@recording_options
def command(
    trace: str, out: Path, to: str | None, seed: int | None, force: bool, **reading: Any
) -> None:
    """Write a trace in another format.

    A .allocsim file need not be parsed, so its replay starts at once. Use this format for a trace
    that is replayed often. A .txt or .txt.gz file has the text format of Android's memory_replay. A
    .parquet file is for notebooks.
    """
    from allocsim.cli.trace._io import require_free, write_whole
    from allocsim.traces.writers import writer_for
    from allocsim.workloads import open_workload

    writer = writer_for(out, to)
    require_free(out, force)
    write_whole(open_workload(trace, seed, sites=writer.keeps_sites, **reading), out, writer)
