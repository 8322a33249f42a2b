"""What the commands on traces share: taking a whole stream, and writing one.

Below the commands, as `drive` is below the drivers. Its one rule: an existing file is replaced
only if the user says so, and what was written and left out goes to stderr.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from allocsim.cli.options import require_writable
from allocsim.cli.output import tell
from allocsim.cli.progress import watched
from allocsim.errors import InputError
from allocsim.events import Op, Trace, not_empty
from allocsim.text import counted, format_bytes
from allocsim.trace_stats import Survey, survey
from allocsim.trace_subset import Choice, piece_of
from allocsim.traces.formats import Writer
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
    tally = _Tally()
    with watched(trace):
        trace.chunks = _tallied(trace.chunks, tally)
        writer.write(trace, path)
    _tell(trace, path, tally)


def write_piece(whole: Trace, choice: Choice, path: Path, writer: Writer) -> None:
    """Write the chosen piece of a trace, watch the whole go by, and tell what was written."""
    piece = piece_of(whole, choice)
    tally, complaint = _Tally(), f"no object of {whole.name} is in that piece"
    piece.chunks = not_empty(_tallied(piece.chunks, tally), complaint)
    with watched(whole):
        writer.write(piece, path)
    _tell(piece, path, tally)


def require_free(path: Path, force: bool) -> None:
    """An error now, not after the work, for a file that cannot be written or must not be."""
    require_writable([str(path)])
    if path.is_dir():
        raise InputError(f"'{path}' is a directory; expected a file to write")
    if path.is_file() and not force:
        raise InputError(f"'{path}' is there already: choose another name, or replace it: --force")


@dataclass
class _Tally:
    """Events that went by."""

    events: int = 0


def _tallied(chunks: Iterator[Any], tally: _Tally) -> Iterator[Any]:
    """The same chunks, their events counted; notes are none."""
    with closing(Trace("", chunks, {})):
        for chunk in chunks:
            tally.events += int(np.count_nonzero(chunk.op <= Op.FREE))
            yield chunk


def _tell(trace: Trace, path: Path, written: _Tally) -> None:
    """Print the notes of a trace, what was written, and what was not."""
    _tell_notes(trace)
    size = format_bytes(path.stat().st_size)
    line = f"wrote {path}: {counted(written.events, 'event')}, {size}"
    left_out = ", ".join(f"{reason} {count:,}" for reason, count in trace.dropped.items())
    tell(f"{line}; left out: {left_out}" if left_out else line)


def _tell_notes(trace: Trace) -> None:
    """Print what the user should know of the import."""
    for note in trace.notes:
        tell(f"note: {note}")
