"""`allocsim trace cut`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from allocsim.cli.completion import complete_workload
from allocsim.cli.options import recording_options
from allocsim.cli.types import CountType


@click.command("cut")
@click.argument("trace", metavar="TRACE", shell_complete=complete_workload)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "first",
    type=CountType(0),
    default=0,
    show_default=True,
    help="Number of events before the slice.",
)
@click.option(
    "--to",
    "last",
    type=CountType(1),
    help="Number of the last event of the slice. By default, the slice ends with the trace.",
)
@click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
@recording_options
def command(
    trace: str, out: Path, first: int, last: int | None, force: bool, **reading: Any
) -> None:
    """Write a slice of a trace.

    The slice is a valid trace of the objects that are allocated in it. If the program frees an
    object after the end of the slice, the slice does not free the object. `--to 3000` therefore
    ends with the live objects that the program has after event 3,000. Calls on objects allocated
    before the slice are dropped and counted, so `--from 1000 --to 3000` gives at most 2,000 events.
    The suffix of OUT decides the format, as for convert.
    """
    from allocsim.cli.trace._io import require_free, write_part
    from allocsim.trace_subset import NO_END, Choice
    from allocsim.traces.writers import writer_for
    from allocsim.workloads import open_workload

    if last is not None and last <= first:
        raise click.UsageError(f"--to ({last}) must be greater than --from ({first})")
    writer = writer_for(out)
    require_free(out, force)
    choice = Choice(first=first, last=NO_END if last is None else last)
    write_part(open_workload(trace, sites=writer.keeps_sites, **reading), choice, out, writer)
