"""The LTTng recorder, based on LTTng-UST's libc wrapper: the most complete recorder.

It records threads and every call with its arguments. The guard passes the calls that LTTng does not
know (aligned_alloc, valloc, pvalloc) to memalign. The events go through the daemon of
`lttng_daemon` into the work directory, and babeltrace2 prints them. No event is lost silently: the
program waits while the buffers are full, and if the tracer reports discarded events, the trace says
so.
"""

from __future__ import annotations

import ctypes.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from allocsim.capabilities import Capabilities
from allocsim.errors import TraceError
from allocsim.events import Trace, closing_chunks
from allocsim.recorders.base import Recorder, Request, open_recording
from allocsim.recorders.guard import build_guard, deep_bind_losses, guard_losses, guard_variables
from allocsim.recorders.linkage import why_no_room, why_unsuited
from allocsim.recorders.lttng_daemon import BUFFERS, OWN_THREADS, running_daemon, tracing_session
from allocsim.recorders.program import Outcome, preload, run_program
from allocsim.signals import on_interrupt
from allocsim.text import counted
from allocsim.traces import open_trace

INSTALL = "apt install lttng-tools babeltrace2 liblttng-ust1"

TOOLS = ("lttng", "lttng-sessiond", "babeltrace2")

LIBRARIES = ("lttng-ust-libc-wrapper", "lttng-ust-fork", "lttng-ust-fd")
"""Libraries to preload. lttng-ust-fork tells the tracer of forked children; without it, the tracer
takes a child for its parent. lttng-ust-fd keeps the program from closing the tracer's descriptors;
without it, the tracer aborts the program."""

WAITING = {"LTTNG_UST_ALLOW_BLOCKING": "1", "LTTNG_UST_REGISTER_TIMEOUT": "10000"}
"""Environment in which the program blocks while a buffer is full, and at its start waits up to
10,000 ms for the daemon."""

ROOM = 256 << 20
"""Bytes of address space, beside the buffers, for the program and the tracer's libraries."""

_DISCARDED = re.compile(r"discarded (\d+) event")


def missing(_: Request) -> str | None:
    """Return why LTTng cannot be used, with the remedy, or None if it can."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is missing: {INSTALL}"
    if ctypes.util.find_library(LIBRARIES[0]) is None:
        return f"lib{LIBRARIES[0]} is missing: {INSTALL}"
    return None


def unsuited(request: Request) -> str | None:
    """Return why the program cannot be recorded, or None if it can."""
    if request.program.name.endswith(OWN_THREADS):
        return f"its name ends in {OWN_THREADS}, as those of the tracer's own threads"
    return why_unsuited(request) or why_no_room(BUFFERS * (os.cpu_count() or 1) + ROOM)


def run(request: Request, directory: Path) -> Outcome:
    """Run the program with the wrapper preloaded, in a tracing session of its own."""
    guard = build_guard(directory, "lttng")
    found = [guard, *map(ctypes.util.find_library, LIBRARIES)]
    variables = (
        preload(*(library for library in found if library)) | WAITING | guard_variables(directory)
    )
    with running_daemon(directory) as daemon, tracing_session(directory, daemon):
        return run_program(request.program, variables | daemon.variables)


def losses(directory: Path, outcome: Outcome) -> list[str]:
    """Return a sentence on each kind of calls that were lost."""
    return [*guard_losses(directory, outcome), *deep_bind_losses(directory)]


@contextmanager
def read(directory: Path, outcome: Outcome) -> Iterator[Trace]:
    """Open the trace of the program's own process, read from babeltrace2 through a pipe."""
    if not any(directory.glob("trace/**/metadata")):
        with open_recording(directory / "nothing") as trace:
            yield trace
        return
    messages = directory / "babeltrace2.txt"
    reading, writing = os.pipe()
    command = ["babeltrace2", "--no-delta", "--clock-seconds", str(directory / "trace")]
    with messages.open("wb") as errors:
        printing = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=writing, stderr=errors, process_group=0
        )
    os.close(writing)
    with on_interrupt(printing.kill), printing:
        try:
            trace = open_trace(f"/dev/fd/{reading}", "lttng", outcome.process)
            os.close(reading)
            trace.chunks = _require_complete(trace.chunks, trace.notes, printing, messages)
            with closing(trace):
                yield trace
        finally:
            printing.kill()  # no effect unless the consumer stopped early


def _require_complete(
    chunks: Iterator[Any], notes: list[str], printing: subprocess.Popen[bytes], messages: Path
) -> Iterator[Any]:
    """Yield the events. Then raise TraceError if babeltrace2 failed, or note missing events."""
    with closing_chunks(chunks):
        yield from chunks
    status, text = printing.wait(), messages.read_text("utf-8", "replace")
    if status != 0:
        raise TraceError(f"babeltrace2 cannot print the recording: {text.strip()[-300:]}")
    discarded = sum(map(int, _DISCARDED.findall(text)))
    if discarded:
        notes.append(f"the tracer discarded {counted(discarded, 'event')}: the trace is incomplete")


RECORDER = Recorder(
    name="lttng",
    summary="all calls, with threads; 1.7x run time (measured with sqlite3; more with threads)",
    install=INSTALL,
    capabilities=Capabilities(threads="yes", thread_ends="no", reallocs="yes", aligned_calls="yes"),
    missing=missing,
    unsuited=unsuited,
    run=run,
    read=read,
    losses=losses,
    records_children=True,
    is_guarded=True,
)
