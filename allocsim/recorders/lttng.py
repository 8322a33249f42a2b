"""LTTng's recorder: the wrapper of its user-space tracer around libc's malloc.

A recorder, the best one: it sees threads, and all arguments of every call but aligned_alloc, valloc
and pvalloc. The program's events go through `lttng_daemon` to the workplace; babeltrace2 prints
them. Its one rule: nothing is lost in silence: when the buffers are full the program waits, and
what the tracer says it discarded is told.
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

from allocsim.errors import TraceError
from allocsim.events import Trace
from allocsim.recorders.base import Recorder, recorded
from allocsim.recorders.lttng_daemon import daemon, session
from allocsim.recorders.program import Ended, Program, preloading, run_program
from allocsim.signals import undone
from allocsim.text import counted
from allocsim.traces import open_trace

INSTALL = "apt install lttng-tools babeltrace2 liblttng-ust1"

TOOLS = ("lttng", "lttng-sessiond", "babeltrace2")

WAITS = {"LTTNG_UST_ALLOW_BLOCKING": "1", "LTTNG_UST_REGISTER_TIMEOUT": "10000"}
"""Let a full buffer stop the program, and the program wait for the daemon, milliseconds."""

_DISCARDED = re.compile(r"discarded (\d+) event")


def lacks(_: Program) -> str | None:
    """What is missing to use LTTng."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is missing: {INSTALL}"
    if ctypes.util.find_library("lttng-ust-libc-wrapper") is None:
        return f"liblttng-ust-libc-wrapper is missing: {INSTALL}"
    return None


def run(program: Program, place: Path) -> Ended:
    """Run the program with the wrapper in it, in a session of its own."""
    libraries = map(ctypes.util.find_library, ("lttng-ust-libc-wrapper", "lttng-ust-fork"))
    with daemon(place) as home, session(place, home):
        # The second tells the tracer of a forked child, which otherwise is taken for its parent.
        return run_program(program, preloading(*filter(None, libraries)) | WAITS | home)


@contextmanager
def read(place: Path, ended: Ended) -> Iterator[Trace]:
    """The trace of the program's own process, read as babeltrace2 prints it."""
    if not any(place.glob("trace/**/metadata")):
        with recorded(place / "nothing") as trace:
            yield trace
        return
    said = place / "babeltrace2.txt"
    reading, writing = os.pipe()
    command = ["babeltrace2", "--no-delta", "--clock-seconds", str(place / "trace")]
    with said.open("wb") as errors:
        printing = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=writing, stderr=errors, process_group=0
        )
    os.close(writing)
    with undone(printing.kill), printing:
        try:
            trace = open_trace(f"/dev/fd/{reading}", "lttng", ended.process)
            os.close(reading)
            trace.chunks = _told(trace.chunks, trace.notes, printing, said)
            with closing(trace):
                yield trace
        finally:
            printing.kill()  # it has ended, unless the consumer has stopped


def _told(
    chunks: Iterator[Any], notes: list[str], printing: subprocess.Popen[bytes], said: Path
) -> Iterator[Any]:
    """The same events; at their end TraceError or a note if babeltrace2 has said something."""
    with closing(Trace("", chunks, {})):
        yield from chunks
    status, text = printing.wait(), said.read_text("utf-8", "replace")
    if status != 0:
        raise TraceError(f"babeltrace2 cannot print the recording: {text.strip()[-300:]}")
    lost = sum(map(int, _DISCARDED.findall(text)))
    if lost:
        notes.append(f"the tracer discarded {counted(lost, 'event')}: the trace is not whole")


RECORDER = Recorder(
    name="lttng",
    why="all but aligned_alloc and valloc, with threads; 1.7 times as slow (measured with sqlite3)",
    install=INSTALL,
    lacks=lacks,
    run=run,
    read=read,
)
