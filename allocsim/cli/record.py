"""`allocsim record`."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import click

from allocsim.cli.output import log
from allocsim.cli.output_files import OutputType, require_outputs
from allocsim.text import shell_argument


@click.command("record", context_settings={"allow_interspersed_args": False})
@click.option(
    "-o",
    "--output",
    "out",
    metavar="OUT",
    type=OutputType(),
    help="Trace to write; by default PROGRAM.allocsim in this directory.",
)
@click.option(
    "--with",
    "wanted",
    type=click.Choice(["preload", "lttng", "heaptrack", "mtrace", "memray"]),
    help="Recorder; by default the first of these that is installed and suits PROGRAM.",
)
@click.option(
    "--children",
    is_flag=True,
    help="Also record the processes that PROGRAM starts, each in its own file (preload, LTTng).",
)
@click.option(
    "--cost",
    is_flag=True,
    help="First run PROGRAM without the recorder, to show how much slower the recorder makes it.",
)
@click.option(
    "--sites",
    is_flag=True,
    help="Also record the stack of each call that allocates (preload, heaptrack, memray), or its "
    "caller (LTTng, mtrace).",
)
@click.option(
    "--trace-python-allocators",
    "python_allocators",
    is_flag=True,
    help="Also record Python's own allocators (memray only).",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Record until all processes that PROGRAM starts have ended, daemons included.",
)
@click.option(
    "--live",
    is_flag=True,
    help="While PROGRAM runs, show its memory and its live bytes once a second (preload).",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    out: str | None,
    wanted: str | None,
    children: bool,
    cost: bool,
    sites: bool,
    python_allocators: bool,
    wait: bool,
    live: bool,
    force: bool,
    program: tuple[str, ...],
) -> int:
    """Run PROGRAM and record its allocation calls as a trace.

    PROGRAM keeps its standard streams, and its exit status becomes that of this command. Messages
    of allocsim go to standard error. PROGRAM runs once, or twice with --cost. Processes started by
    PROGRAM are recorded only with --children. A pipeline needs this option:
    `allocsim record --children -- sh -c '...'`.
    """
    path = Path(out or f"{Path(program[0]).name}.allocsim")
    _require_free(path, force)
    require_outputs([] if out else [str(path)], [shutil.which(program[0]) or program[0]])

    from allocsim.cli.live_view import live_view
    from allocsim.cli.progress import watched
    from allocsim.recorders.base import Request
    from allocsim.recorders.program import find_program
    from allocsim.recorders.recording import Choice, record

    view = partial(live_view, _log) if live else None
    request = Request(find_program(program), children, python_allocators, wait, sites, view)
    status, trace = record(request, path, Choice(wanted, cost, force), _log, watched)
    then = "explain" if sites else "replay"
    name = shell_argument(str(trace))
    _log(f"next: `allocsim trace info {name}` or `allocsim {then} {name}`")
    return status


def _log(line: str) -> None:
    """Print a line that is marked as a message of allocsim, not of the program."""
    log(f"allocsim: {line}")


def _require_free(path: Path, force: bool) -> None:
    """Raise a usage error, before the program runs, if `path` cannot or must not be written."""
    if path.name.endswith((".txt", ".gz", ".parquet")):
        raise click.UsageError(
            f"'{path}': record writes allocsim's own format; name the file *.allocsim and use "
            "`allocsim trace convert` for others"
        )
    if path.exists() and not force:
        raise click.UsageError(
            f"'{path}' already exists; use --force to overwrite it, or -o to choose another name"
        )
    if path.exists() and not path.is_file():
        raise click.UsageError(f"'{path}' is not a file")
