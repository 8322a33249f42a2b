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

from allocsim.errors import TraceError
from allocsim.events import MOST_THREADS, Trace, no_events
from allocsim.traces import aosp, store
from allocsim.traces.calls import BATCH, Halt
from allocsim.traces.container import open_source
from allocsim.traces.identity import REASONS, Reason, grown, identify, no_identities
from allocsim.traces.read_ahead import read_ahead
from allocsim.traces.store_header import MAGIC
from allocsim.traces.text import CallReader, TextFormat

FORMATS: tuple[TextFormat, ...] = (aosp.FORMAT,)
"""Every format that can be read."""


def open_trace(path: str) -> Trace:
    """The trace in a file, or on standard input when `path` is '-'; read as it is taken."""
    if store.is_stored(path):
        return store.read_trace(Path(path))
    source = open_source(path)
    with ExitStack() as on_error:
        on_error.callback(source.close)
        is_stored = source.head(len(MAGIC)) == MAGIC
        on_error.pop_all()
    if is_stored:
        return store.read_stream(source)
    reader = CallReader(source, aosp.FORMAT)
    trace = Trace(
        name=path,
        chunks=iter(()),
        description={"kind": "trace", "file": path, "format": reader.form.name},
        notes=reader.notes,
        progress=reader.source.share_read,
        held=reader.source,
    )
    trace.chunks = _events(reader, trace)
    return trace


def _events(reader: CallReader, trace: Trace) -> Iterator[Any]:
    """The events of the whole source, which is closed then."""
    with closing(reader.source):
        total = 0
        for chunk in _identified(reader, trace):
            total += len(chunk)
            yield chunk
        if reader.lines == 0:
            raise TraceError(f"{trace.name}: the trace is empty")
        if total == 0:
            trace.notes.append("no call of the recording reaches the heap")


def _identified(reader: CallReader, trace: Trace) -> Iterator[Any]:
    """The events of all calls, in chunks; keeps the trace's account of what was dropped."""
    known, chunk = no_identities(), no_events(2 * BATCH)
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


def _account(trace: Trace, dropped: np.ndarray) -> None:
    """Put what was dropped so far under its reasons."""
    trace.dropped.update(
        {REASONS[reason]: int(dropped[reason]) for reason in Reason if dropped[reason]}
    )
