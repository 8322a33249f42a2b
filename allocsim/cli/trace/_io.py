"""Functions that read or write a whole trace, for the commands of `allocsim trace`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.cli.output import log
from allocsim.cli.output_files import require_writable
from allocsim.cli.progress import watched
from allocsim.errors import InputError
from allocsim.events import Op, Trace, closing_chunks, not_empty
from allocsim.text import counted, format_bytes, reasons_text
from allocsim.trace_history import History, collect_history
from allocsim.trace_stats import TraceStats, collect_stats
from allocsim.trace_subset import Choice, subset_of
from allocsim.traces.writers import Writer
from allocsim.workloads import open_workload


def read_statistics(name: str, form: str | None, process: int | None) -> tuple[Trace, TraceStats]:
    """Read a whole trace and print its notes; return the trace and its statistics.

    `form` and `process` are those of `open_trace`.
    """
    trace = open_workload(name, form=form, process=process)
    with watched(trace):
        stats = collect_stats(trace)
    _log_notes(trace)
    return trace, stats


def read_history(
    name: str, form: str | None, process: int | None
) -> tuple[Trace, TraceStats, History]:
    """Do the same as `read_statistics`; also return the History, which has the call sites."""
    trace = open_workload(name, form=form, process=process, sites=True)
    with watched(trace):
        stats, history = collect_history(trace)
    _log_notes(trace)
    return trace, stats, history


def write_whole(trace: Trace, path: Path, writer: Writer) -> None:
    """Write the whole trace to `path`, and print a line about the file."""
    count = _Count()
    with watched(trace):
        trace.chunks = _counted_events(trace.chunks, count)
        writer.write(trace, path)
    _log_written(trace, path, count)


def write_part(whole: Trace, choice: Choice, path: Path, writer: Writer) -> None:
    """Write the chosen part of a trace to `path`, and print a line about the file."""
    part = subset_of(whole, choice)
    count, message = _Count(), f"no object of {whole.name} is in the chosen part"
    part.chunks = not_empty(_counted_events(part.chunks, count), message)
    with watched(whole):
        writer.write(part, path)
    _log_written(part, path, count)


def require_free(path: Path, force: bool) -> None:
    """Raise an error if `path` cannot be written or may not be overwritten.

    Commands call this function first, so that no work is lost.
    """
    require_writable([str(path)])
    if path.is_dir():
        raise InputError(f"'{path}' is a directory; expected a file to write")
    if path.is_file() and not force:
        raise InputError(f"'{path}' already exists; use --force to overwrite it")


@dataclass
class _Count:
    """Number of events that were written."""

    events: int = 0


def _counted_events(chunks: Iterator[Any], count: _Count) -> Iterator[Any]:
    """Yield the same chunks, and count the calls in them (see `Op`)."""
    with closing_chunks(chunks):
        for chunk in chunks:
            count.events += int(np.count_nonzero(chunk.op <= Op.FREE))
            yield chunk


def _log_written(trace: Trace, path: Path, count: _Count) -> None:
    """Print the notes on a trace, what its recording lost, and a line about the written file."""
    _log_notes(trace)
    for loss in trace.losses:
        log(f"warning: the recording is incomplete: {loss}")
    size = format_bytes(path.stat().st_size)
    line = f"wrote {path}: {counted(count.events, 'event')}, {size}"
    log(f"{line}; dropped or repaired: {reasons_text(trace.dropped)}" if trace.dropped else line)


def _log_notes(trace: Trace) -> None:
    """Print the notes that the import of a trace collected."""
    for note in trace.notes:
        log(f"note: {note}")
