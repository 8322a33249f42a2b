"""What the commands on traces share: taking a whole stream, and writing one.

Below the commands, as `drive` is below the drivers. Its one rule: an existing file is replaced
only if the user says so, and "wrote FILE" goes to stderr.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from allocsim.cli.options import require_writable
from allocsim.cli.progress import watched
from allocsim.errors import InputError
from allocsim.events import Trace, not_empty
from allocsim.pieces import Choice, piece_of
from allocsim.surveyor import Survey, survey
from allocsim.traces.conversion import Writer
from allocsim.workloads import open_workload

Command = TypeVar("Command", bound=Callable[..., Any])


def surveyed(name: str, form: str | None, process: int | None) -> tuple[Trace, Survey]:
    """The trace of that name, at its end, and what was in it; its notes are told.

    `form` and `process` are those of `open_trace`.
    """
    trace = open_workload(name, form=form, process=process)
    with watched(trace):
        seen = survey(trace)
    _tell_notes(trace)
    return trace, seen


def write_whole(trace: Trace, path: Path, writer: Writer) -> None:
    """Write the whole trace and tell what was written."""
    with watched(trace):
        writer.write(trace, path)
    _tell(trace, path)


def write_piece(whole: Trace, choice: Choice, path: Path, writer: Writer) -> None:
    """Write the chosen piece of a trace, watch the whole go by, and tell what was written."""
    piece = piece_of(whole, choice)
    piece.chunks = not_empty(piece.chunks, f"no object of {whole.name} is in that piece")
    with watched(whole):
        writer.write(piece, path)
    _tell(piece, path)


def require_free(path: Path, force: bool) -> None:
    """An error now, not after the work, for a file that cannot be written or must not be."""
    require_writable([str(path)])
    if path.is_dir():
        raise InputError(f"'{path}' is a directory; expected a file to write")
    if path.is_file() and not force:
        raise InputError(f"'{path}' is there already: choose another name, or replace it: --force")


def _tell(trace: Trace, path: Path) -> None:
    """Print the notes of a trace, and that it was written."""
    _tell_notes(trace)
    click.echo(f"wrote {path}", err=True)


def _tell_notes(trace: Trace) -> None:
    """Print what the user should know of the import."""
    for note in trace.notes:
        click.echo(f"note: {note}", err=True)
