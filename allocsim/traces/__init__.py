"""Recorded traces: one reader for each format, told by the content and not by the name.

Above `events`, beside the generators. A reader turns bytes into calls as they were recorded;
`identity` turns the calls of all readers into events by one set of rules. Its one rule: memory is
bounded by the objects that are live at once, not by the length of the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.errors import InputError, TraceError
from allocsim.events import MOST_THREADS, Trace, no_events
from allocsim.traces.calls import BATCH, Halt
from allocsim.traces.formats import Format, Reader, format_named, format_of
from allocsim.traces.native import file
from allocsim.traces.native.header import MAGIC
from allocsim.traces.object_ids import REASONS, Identities, Reason, grown, identify, no_identities
from allocsim.traces.prefetch import read_ahead
from allocsim.traces.readers import (
    csapp,
    glibc_mtrace,
    glibc_wl,
    heaptrack,
    logalloc,
    ltrace,
    lttng,
    malloc_bench,
    memray,
    mtrace,
    valgrind,
)
from allocsim.traces.source import open_source
from allocsim.traces.writers import aosp

FORMATS: tuple[Format, ...] = (
    aosp.FORMAT,
    heaptrack.FORMAT,
    csapp.FORMAT,
    memray.FORMAT,
    glibc_wl.FORMAT,
    glibc_mtrace.FORMAT,
    malloc_bench.FORMAT,
    mtrace.FORMAT,
    lttng.FORMAT,
    logalloc.FORMAT,
    valgrind.FORMAT,
    ltrace.FORMAT,
)
"""Every format that can be read; the first that knows a file's beginning reads it."""

CHOOSE = ": choose with --process PID"
"""How a user of a recording gets at the calls of another process."""

SHOWN_PROCESSES = 5
"""Processes that a note names of those that were left out."""


def open_trace(path: str, form: str | None = None, process: int | None = None) -> Trace:
    """The trace in a file, or on standard input when `path` is '-'; read as it is taken.

    `form` names the format, which is otherwise told by the content; `process` is the one whose
    calls are taken, otherwise that of the first call.
    """
    if file.is_stored(path):
        _require_neither(path, form, process)
        return file.read_trace(Path(path))
    source = open_source(path)
    with ExitStack() as failing:
        failing.enter_context(closing(source))
        is_stored = source.head(len(MAGIC)) == MAGIC
        if not is_stored:
            found = format_of(source, FORMATS) if form is None else format_named(form, FORMATS)
            reader = found.open(source)
        failing.pop_all()  # closed with the stream; now only if it failed
    if is_stored:
        _require_neither(path, form, process)
        return file.read_stream(source)
    trace = Trace(
        name=path,
        chunks=iter(()),
        description={"kind": "trace", "file": path, "format": found.name},
        notes=reader.notes,
        progress=source.share_read,
        held=source,
    )
    trace.chunks = _events(reader, trace, process)
    return trace


def _require_neither(path: str, form: str | None, process: int | None) -> None:
    """InputError for a choice that a file of our own does not leave."""
    if form is not None or process is not None:
        raise InputError(
            f"{path}: a trace file of allocsim's own holds the calls of one process: leave "
            "--format and --process out, or read the recording that it was made of"
        )


def _events(reader: Reader, trace: Trace, process: int | None = None) -> Iterator[Any]:
    """The events of the whole source, which is closed then."""
    with closing(reader.source):
        total = 0
        for chunk in _identified(reader, trace, process):
            total += len(chunk)
            yield chunk
        if reader.is_empty:
            raise TraceError(f"{trace.name}: the trace is empty")
        if total == 0 and process is not None and trace.dropped.get(REASONS[Reason.OTHER_PROCESS]):
            raise TraceError(f"{trace.name}: no call of process {process}; {trace.notes[-1]}")
        if total == 0:
            trace.notes.append("no call of the recording reaches the heap")


def _identified(reader: Reader, trace: Trace, process: int | None) -> Iterator[Any]:
    """The events of all calls, in chunks; keeps the trace's account of what was dropped."""
    known, chunk = no_identities(process=process), no_events(2 * BATCH)
    for calls in read_ahead(reader.batches()):
        position = 0
        while position < len(calls):
            position = identify(known, calls, position, chunk)
            counts = known.counts[0]
            if counts.events:
                yield chunk[: counts.events]
            if counts.halt == Halt.ROOM:
                known = grown(known)
            elif counts.halt == Halt.THREADS:
                raise TraceError(f"{trace.name}: more than {MOST_THREADS} threads")
        _account(trace, known.dropped)
    if known.counts[0].processes:
        _note_processes(trace, known)


def _note_processes(trace: Trace, known: Identities) -> None:
    """Say whose calls were taken and whose were not."""
    others = {
        int(entry.key) - 1: int(entry.number) for entry in known.processes[known.processes.key != 0]
    }
    trace.processes.update(others)
    most = sorted(others, key=lambda process: (-others[process], process))[:SHOWN_PROCESSES]
    told = ", ".join(f"{process} ({others[process]:,})" for process in most)
    if len(most) < len(others):
        told += f" and {len(others) - len(most)} more"
    trace.notes.append(
        f"only the calls of process {known.counts[0].process} are taken; left out are those of "
        f"{told}{CHOOSE}"
    )


def _account(trace: Trace, dropped: np.ndarray) -> None:
    """Put what was dropped so far under its reasons."""
    trace.dropped.update(
        {REASONS[reason]: int(dropped[reason]) for reason in Reason if dropped[reason]}
    )
