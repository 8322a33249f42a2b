"""Read a recording of LTTng through babeltrace2, if allocsim cannot read its layout directly.

`traces.readers.lttng_directory` reads the usual layout. If a recording has another layout,
babeltrace2 prints the events as text.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from allocsim.errors import TraceError
from allocsim.events import Trace, closing_chunks
from allocsim.python_child import running
from allocsim.text import counted
from allocsim.traces import open_trace
from allocsim.traces.reader import SKIPPED

FILES_OF_ADDRESSES = ("--debug-info", "--debug-info-full-path")
"""Options of babeltrace2 that print the file and the function of each caller."""

_DISCARDED = re.compile(r"discarded (\d+) event")


@contextmanager
def printed_by_babeltrace2(directory: Path, process: int, sites: bool = False) -> Iterator[Trace]:
    """Open the trace of a process, read through a pipe from babeltrace2.

    `directory` is the work directory, which has the recording. With `sites`, the trace has its call
    sites.
    """
    messages = directory / "babeltrace2.txt"
    reading, writing = os.pipe()
    options = ["--no-delta", "--clock-seconds", *(FILES_OF_ADDRESSES if sites else ())]
    command = ["babeltrace2", *options, str(directory / "trace")]
    with messages.open("wb") as errors, running(command, stdout=writing, stderr=errors) as printing:
        os.close(writing)
        trace = open_trace(f"/dev/fd/{reading}", "lttng", process, sites=sites)
        os.close(reading)
        trace.chunks = _require_complete(trace.chunks, trace.losses, printing, messages)
        if sites:
            trace.chunks = _without_skipped(trace.chunks, trace.notes)
        with closing(trace):
            yield trace


def _without_skipped(chunks: Iterator[Any], notes: list[str]) -> Iterator[Any]:
    """Yield the events, then remove the note on skipped lines.

    When call sites are read, the note is not needed: the skipped lines are not calls, but events
    that name loaded files.
    """
    with closing_chunks(chunks):
        yield from chunks
    notes[:] = [note for note in notes if not note.startswith(SKIPPED)]


def _require_complete(
    chunks: Iterator[Any], losses: list[str], printing: subprocess.Popen[bytes], messages: Path
) -> Iterator[Any]:
    """Yield the events. Then raise TraceError if babeltrace2 failed.

    If the tracer has discarded events, their number is added to `losses`, as a sentence.
    """
    with closing_chunks(chunks):
        yield from chunks
    status, text = printing.wait(), messages.read_text("utf-8", "replace")
    if status != 0:
        raise TraceError(f"babeltrace2 cannot print the recording: {text.strip()[-300:]}")
    discarded = sum(map(int, _DISCARDED.findall(text)))
    if discarded:
        losses.append(f"the tracer discarded {counted(discarded, 'event')}")
