"""`allocsim trace sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from allocsim.cli.completion import complete_workload
from allocsim.cli.options import recording_options, seed_option
from allocsim.cli.types import ShareType


@click.command("sample")
@click.argument("trace", metavar="TRACE", shell_complete=complete_workload)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--keep", type=ShareType(), required=True, help="Share of the objects to keep.")
@seed_option
@click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
@recording_options
def command(trace: str, out: Path, keep: float, seed: int, force: bool, **reading: Any) -> None:
    """Write a random sample of the objects of a trace.

    `--keep 1/100` keeps about one object in a hundred, with all its calls. The same seed keeps the
    same objects. The suffix of OUT decides the format, as for convert.
    """
    from allocsim.cli.trace._io import require_free, write_part
    from allocsim.trace_subset import ALL, Choice
    from allocsim.traces.writers import writer_for
    from allocsim.workloads import open_workload

    writer = writer_for(out)
    require_free(out, force)
    choice = Choice(keep=max(round(keep * ALL), 1), seed=seed)
    write_part(open_workload(trace, sites=writer.keeps_sites, **reading), choice, out, writer)
