"""The LTTng recorder, based on the libc wrapper of LTTng-UST.

It records threads and every call with its arguments. LTTng does not know aligned_alloc, valloc or
pvalloc; a small preloaded library, the guard, turns these calls into calls of memalign. The events
go through the daemon of `lttng_daemon` into the work directory, where allocsim reads them. If the
layout of the events is not the usual one, babeltrace2 prints the events for allocsim. babeltrace2
also prints them if call sites are requested, because it finds the executable or library to which
the address of a caller belongs. No event is lost silently: the program waits while the buffers are
full, and if the tracer has discarded events, the trace says so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from allocsim.capabilities import Capabilities
from allocsim.events import Trace
from allocsim.recorders.babeltrace import printed_by_babeltrace2
from allocsim.recorders.base import Recorder, Request, open_recording, shared_library
from allocsim.recorders.guard import build_guard, deep_bind_losses, guard_losses, guard_variables
from allocsim.recorders.linkage import why_no_room, why_unsuited
from allocsim.recorders.lttng_daemon import BUFFERS, OWN_THREADS, running_daemon, tracing_session
from allocsim.recorders.lttng_watch import watch_losses
from allocsim.recorders.program import Outcome, preload, run_program
from allocsim.signals import InterruptConfirmed
from allocsim.traces.readers.lttng_directory import METADATA, open_directory

INSTALL = "apt install lttng-tools babeltrace2 liblttng-ust1"

TOOLS = ("lttng", "lttng-sessiond", "babeltrace2")

LIBRARIES = ("lttng-ust-libc-wrapper", "lttng-ust-fork", "lttng-ust-fd")
"""Libraries to preload. lttng-ust-fork reports forked children to the tracer; without it, their
calls would count as calls of their parent. lttng-ust-fd keeps the program from closing the tracer's
descriptors; without it, the tracer would abort a program that closes them."""

WAITING = {"LTTNG_UST_ALLOW_BLOCKING": "1", "LTTNG_UST_REGISTER_TIMEOUT": "10000"}
"""Environment that makes the program wait while a buffer is full. At its start, the program also
waits for the daemon, for up to 10,000 ms."""

ROOM = 256 << 20
"""Bytes of address space for the program and the tracer's libraries, without the buffers."""


def missing(_: Request) -> str | None:
    """Return why LTTng cannot be used, with the remedy, or None if it can."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is missing: {INSTALL}"
    if shared_library(LIBRARIES[0]) is None:
        return f"lib{LIBRARIES[0]} is missing: {INSTALL}"
    return None


def unsuited(request: Request) -> str | None:
    """Return why the program cannot be recorded, or None if it can."""
    if request.program.name.endswith(OWN_THREADS):
        return f"its name ends in {OWN_THREADS}, like the names of the tracer's own threads"
    return why_unsuited(request) or why_no_room(BUFFERS * (os.cpu_count() or 1) + ROOM)


def run(request: Request, directory: Path) -> Outcome:
    """Run the program with the wrapper preloaded, in a tracing session for this recording."""
    guard = build_guard(directory, "lttng")
    libraries = [str(guard or ""), *map(shared_library, LIBRARIES)]
    variables = preload(*filter(None, libraries)) | WAITING | guard_variables(directory)
    with ExitStack() as stack:
        daemon = stack.enter_context(running_daemon(directory))
        stack.enter_context(tracing_session(directory, daemon, request.sites))
        outcome = run_program(request.program, variables | daemon.variables)
        stopping = stack.pop_all()
    with InterruptConfirmed("stopping the recorder; interrupt again to discard the recording"):
        stopping.close()
    return outcome


def losses(directory: Path, outcome: Outcome) -> list[str]:
    """Return a sentence on each kind of calls that were lost."""
    return [
        *guard_losses(directory, outcome),
        *deep_bind_losses(directory),
        *watch_losses(directory),
    ]


@contextmanager
def read(directory: Path, outcome: Outcome) -> Iterator[Trace]:
    """Open the trace of the process in `outcome`."""
    if not any(directory.glob(f"trace/**/{METADATA}")):  # no process was traced
        with open_recording(directory / "nothing") as trace:
            yield trace
        return
    opened = open_directory(directory / "trace", outcome.process)
    if opened is None:
        with printed_by_babeltrace2(directory, outcome.process) as trace:
            yield trace
        return
    with closing(opened):
        yield opened


def read_with_sites(directory: Path, outcome: Outcome) -> AbstractContextManager[Trace]:
    """Open the trace of the process in `outcome`, with the caller of each call."""
    return printed_by_babeltrace2(directory, outcome.process, sites=True)


RECORDER = Recorder(
    name="lttng",
    summary="all calls with their threads; 1.7x run time with sqlite3, 20x or more if a program "
    "only allocates",
    install=INSTALL,
    capabilities=Capabilities(threads="yes", thread_ends="no", reallocs="yes", aligned_calls="yes"),
    missing=missing,
    unsuited=unsuited,
    run=run,
    read=read,
    read_with_sites=read_with_sites,
    records_sites=True,
    has_callers_only=True,
    losses=losses,
    records_children=True,
    is_guarded=True,
    own_memory=392 << 10,  # measured with a program that allocates only once
)
