"""`allocsim record`."""

from __future__ import annotations

from pathlib import Path

import click

from allocsim.cli.output import log


@click.command("record", context_settings={"allow_interspersed_args": False})
@click.option(
    "-o",
    "--output",
    "out",
    metavar="OUT",
    type=click.Path(dir_okay=False),
    help="The trace; otherwise PROGRAM.allocsim in this directory.",
)
@click.option(
    "--with",
    "wanted",
    type=click.Choice(["lttng", "heaptrack", "mtrace", "memray"]),
    help="The recorder; otherwise the best that is here, in this order.",
)
@click.option(
    "--children",
    is_flag=True,
    help="Also keep the processes that PROGRAM starts, each in a file of its own (LTTng).",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    out: str | None, wanted: str | None, children: bool, force: bool, program: tuple[str, ...]
) -> int:
    """Run PROGRAM, record its malloc calls, and keep them as a trace to replay.

    PROGRAM reads and writes as ever, and its exit status is this command's. What allocsim has to
    say goes to standard error. The processes that PROGRAM starts run too, but are not in the trace:
    PROGRAM may be `sh -c '…'`, with --children.
    """
    path = Path(out or f"{Path(program[0]).name}.allocsim")
    _require_free(path, force)

    from allocsim.cli.progress import watched
    from allocsim.recorders.program import find_program
    from allocsim.recorders.recording import Choice, record

    found, choice = find_program(program), Choice(wanted, children, force)
    status = record(found, path, choice, _tell, watched)
    _tell(f"see what is in it: allocsim trace info {path}; play it: allocsim replay {path}")
    return status


def _tell(line: str) -> None:
    """A line for the user, apart from what the program prints."""
    log(f"allocsim: {line}")


def _require_free(path: Path, force: bool) -> None:
    """A usage error now, before the program has run, for a file that must not be written."""
    if path.name.endswith((".txt", ".gz", ".parquet")):
        raise click.UsageError(
            f"'{path}': what is recorded is kept as allocsim's own trace: end the name with "
            ".allocsim, and write it otherwise with `allocsim trace convert`"
        )
    if path.exists() and not force:
        raise click.UsageError(f"'{path}' is there already: --force writes over it, -o elsewhere")
    if path.exists() and not path.is_file():
        raise click.UsageError(f"'{path}' is no file")
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"cannot write '{path}': there is no directory for it")
