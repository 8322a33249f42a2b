"""`allocsim trace cut`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from allocsim.cli.options import recording_options
from allocsim.cli.types import CountType


@click.command("cut")
@click.argument("trace", metavar="TRACE")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--from", "first", type=CountType(0), default=0, show_default=True, help="Events to skip."
)
@click.option("--to", "last", type=CountType(1), help="The last event; otherwise the trace's own.")
@click.option("--force", is_flag=True, help="Replace OUT if it is there already.")
@recording_options
def command(
    trace: str, out: Path, first: int, last: int | None, force: bool, **reading: Any
) -> None:
    """Write a stretch of a trace.

    `--from 1000 --to 3000` holds at most 2,000 calls and is sound in itself: an object is in it
    with all its calls or not at all. What is allocated before the stretch or freed after it is left
    out and counted; what is never freed is live at the end. With --to the events of the stretch
    are held in memory while the rest of the trace is read, 17 bytes each. The suffix of OUT decides
    the format, as for convert.
    """
    from allocsim.cli.trace._io import require_free, write_part
    from allocsim.trace_slice import NO_END
    from allocsim.trace_subset import Choice
    from allocsim.traces.writers import writer_for
    from allocsim.workloads import open_workload

    if last is not None and last <= first:
        raise click.UsageError(f"--to {last} leaves nothing behind --from {first}")
    writer = writer_for(out)
    require_free(out, force)
    choice = Choice(first=first, last=NO_END if last is None else last)
    write_part(open_workload(trace, **reading), choice, out, writer)
