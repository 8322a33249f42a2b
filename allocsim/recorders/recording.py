"""One recording: run the program under a recorder, then convert the recording to a trace.

If a recorder fails, the next usable one runs the program. While the trace is being written, the
first interrupt only prints a warning, since stopping would lose the result of the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, NamedTuple

from allocsim.errors import InputError, TraceError
from allocsim.events import Trace, closing_chunks
from allocsim.recorders import usable_recorders
from allocsim.recorders.base import Recorder, RecorderFailed, work_directory
from allocsim.recorders.program import Outcome, Program, caveats
from allocsim.signals import InterruptConfirmed
from allocsim.text import counted, format_bytes
from allocsim.traces import open_trace
from allocsim.traces.native.file import write_trace
from allocsim.traces.recording import SELECT_PROCESS

Notify = Callable[[str], None]
"""Shows the user a line."""

Progress = Callable[[Trace], AbstractContextManager[None]]
"""Returns a context manager that shows a progress bar on a terminal while a trace is read."""

KEEP_CHILDREN = ": --children keeps each in a file of its own"
"""Text that replaces the advice to use --process, an option that `record` does not have."""


class Choice(NamedTuple):
    """The user's options for a recording."""

    recorder: str | None = None
    """A recorder's name; None for the best installed one."""
    children: bool = False
    """Also write the traces of the processes that the program started."""
    force: bool = False
    """Overwrite existing files."""


class Recording(NamedTuple):
    """A finished recording in its work directory, not yet written as a trace."""

    program: Program
    recorder: Recorder
    directory: Path
    choice: Choice
    notify: Notify
    progress: Progress


def record(program: Program, out: Path, choice: Choice, notify: Notify, progress: Progress) -> int:
    """Run `program` under a recorder and write its trace to `out`; return its exit status.

    On failure `out` is unchanged. The error carries the program's exit status if that is not 0.
    """
    with work_directory() as directory:
        recorder, outcome = _run(program, directory, choice.recorder, notify)
        for caveat in caveats(program, recorder.name, outcome):
            notify(caveat)
        recording = Recording(program, recorder, directory, choice, notify, progress)
        try:
            with InterruptConfirmed(
                "writing the trace of the program; interrupt again to discard it"
            ):
                others = _write(recording, outcome, out)
                if choice.children:
                    for process in sorted(others):
                        _write_child(recording, outcome._replace(process=process), out)
        except InputError as error:
            error.exit_status = outcome.status or error.exit_status
            raise
    return outcome.status


def _run(
    program: Program, directory: Path, wanted: str | None, notify: Notify
) -> tuple[Recorder, Outcome]:
    """Run the program under the first recorder that works."""
    candidates = usable_recorders(program, wanted)
    for recorder in candidates:
        notify(f"recording with {recorder.name}: {recorder.summary}")
        begun = time.monotonic()
        try:
            outcome = recorder.run(program, directory)
        except RecorderFailed as error:
            if recorder is candidates[-1]:
                raise
            notify(f"{recorder.name} does not work: {error}")
            continue
        overhead = time.monotonic() - begun - outcome.seconds
        notify(
            f"{program.name} {outcome.description} after {outcome.seconds:.2f} s; starting and "
            f"stopping {recorder.name} took {overhead:.2f} s"
        )
        return recorder, outcome
    raise AssertionError("usable_recorders() returns at least one")


def _write(recording: Recording, outcome: Outcome, out: Path) -> dict[int, int]:
    """Write the trace of one process; return the recording's other processes and their calls."""
    files = (file for file in recording.directory.rglob("*") if file.is_file())
    size = sum(file.stat().st_size for file in files)
    begun = time.monotonic()
    with recording.recorder.read(recording.directory, outcome) as trace:
        trace.name = recording.program.name
        trace.description.pop("file", None)  # the file is removed with the work directory
        trace.description |= {
            "program": [*recording.program.arguments],
            "recorder": recording.recorder.name,
        }
        trace.chunks = _require_events(trace.chunks, trace.notes, recording)
        with recording.progress(trace):
            write_trace(trace, out)
        others = trace.processes
    recording.notify(_summary(out, time.monotonic() - begun, size))
    return others


def _write_child(recording: Recording, outcome: Outcome, out: Path) -> None:
    """Write the trace of another process to a file named after `out` and the process id."""
    path = out.with_name(f"{out.name.removesuffix('.allocsim')}.{outcome.process}.allocsim")
    if path.exists() and not recording.choice.force:
        recording.notify(f"'{path}' already exists; use --force to overwrite it")
        return
    try:
        _write(recording, outcome, path)
    except TraceError as error:  # none of its calls gives an event
        recording.notify(f"'{path}' was not written: {error}")


def _require_events(chunks: Iterator[Any], notes: list[str], recording: Recording) -> Iterator[Any]:
    """Yield the events; raise InputError without any. Then adapt the notes to `record`."""
    events, reason = 0, ""
    with closing_chunks(chunks):
        try:
            for chunk in chunks:
                events += len(chunk)
                yield chunk
        except TraceError as error:
            if events:
                raise
            reason = f" ({error})"
    if not events:
        recorder = recording.recorder
        raise InputError(
            f"no call of {recording.program.name} was recorded{reason}: {recorder.name} records "
            f"nothing of {recorder.blind_to}"
        )
    remedy = "" if recording.choice.children else KEEP_CHILDREN
    notes[:] = [note.replace(SELECT_PROCESS, remedy) for note in notes]


def _summary(out: Path, seconds: float, recorded: int) -> str:
    """Return one line on the trace that was written to `out`."""
    with closing(open_trace(str(out))) as written:
        dropped = ", ".join(f"{reason} {count:,}" for reason, count in written.dropped.items())
        return (
            f"wrote {out}: {counted(written.length or 0, 'event')}, "
            f"{format_bytes(out.stat().st_size)} (recording: {format_bytes(recorded)}), "
            f"in {seconds:.2f} s"
            + "".join(f"; {note}" for note in written.notes)
            + (f"; dropped: {dropped}" if dropped else "")
        )
