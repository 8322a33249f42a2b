"""Convert a finished recording to an allocsim trace, and note in it what the recording lacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from allocsim.errors import InputError, TraceError
from allocsim.events import Trace, closing_chunks
from allocsim.program_run import ProgramRun
from allocsim.recorders.base import Recorder, Request
from allocsim.recorders.guard import capabilities_here
from allocsim.recorders.program import Outcome
from allocsim.text import counted, format_bytes, reasons_text
from allocsim.traces import open_trace
from allocsim.traces.native.file import write_trace
from allocsim.traces.reasons import REASONS, Reason
from allocsim.traces.recording import SELECT_PROCESS

Progress = Callable[[Trace], AbstractContextManager[None]]
"""Returns a context manager that shows a progress bar on a terminal while a trace is read."""

KEEP_CHILDREN = ": --children writes a trace of each process"
"""Advice for a recording with calls of other processes. It replaces SELECT_PROCESS in notes,
because `record` has no option --process."""

NOT_INHERITED = (
    "unless the process executed another program after its fork, it inherited objects that are "
    "not in the trace; calls on these objects are dropped"
)
"""Note in the trace of a child process, for a recorder without `Recorder.keeps_inherited`."""

MAX_UNKNOWN_FREES, SOME_UNKNOWN_FREES = 0.01, 100
"""Limits on the frees of unknown objects: a share of the trace's events, and a number of calls. If
the frees exceed both limits, the recorder missed allocations, which is a loss. Fewer such frees are
no loss, because a forked child may free objects that it inherited."""


@dataclass(frozen=True)
class Finished:
    """A recording in its work directory, not yet written as a trace."""

    request: Request
    recorder: Recorder
    directory: Path
    outcome: Outcome
    losses: list[str]
    """Sentences about calls that are known to be missing."""
    notes: list[str]
    """Further sentences for the users of the trace."""

    def of_process(self, process: int) -> Finished:
        """Return the same recording for another process, whose ProgramRun is not known."""
        notes = self.notes if self.recorder.keeps_inherited else [*self.notes, NOT_INHERITED]
        return replace(self, outcome=self.outcome._replace(process=process, run=None), notes=notes)


Others = dict[int, int]
"""The other processes of a recording, and the number of their calls."""


class NoEvents(InputError):
    """The process made no call that gives an event, so its trace was not written."""

    def __init__(self, message: str, others: Others) -> None:
        super().__init__(message)
        self.others = others


class Written(NamedTuple):
    """A trace that was written."""

    summary: str
    """One line for the user."""
    others: Others


def convert(finished: Finished, out: Path, progress: Progress) -> Written:
    """Write the trace of the process in `finished`; raise NoEvents if it has no event."""
    files = (file for file in finished.directory.rglob("*") if file.is_file())
    size = sum(file.stat().st_size for file in files)
    begun = time.monotonic()
    recorder = finished.recorder
    read = (recorder.read_with_sites if finished.request.sites else None) or recorder.read
    with read(finished.directory, finished.outcome) as trace:
        trace.name = finished.request.program.name
        trace.description.pop("file", None)  # the file is removed with the work directory
        trace.description |= {
            "program": [*finished.request.program.arguments],
            "recorder": finished.recorder.name,
        }
        trace.capabilities = capabilities_here(finished.recorder)
        trace.program_run = _program_run(finished)
        trace.losses += finished.losses
        trace.notes += finished.notes
        trace.chunks = _completed(trace.chunks, trace, finished)
        with progress(trace):
            write_trace(trace, out)
        others = trace.processes
    return Written(_summary(out, time.monotonic() - begun, size), others)


def _program_run(finished: Finished) -> ProgramRun | None:
    """Return the figures of the program's run, without the recorder's own memory.

    Returns None if they are not known.
    """
    run, memory = finished.outcome.run, finished.recorder.own_memory
    if run is None or memory is None:
        return None
    peak = max(run.anonymous_peak - memory, 0)
    return msgspec.structs.replace(
        run, anonymous_peak=peak, recorder_memory=memory, recorder=finished.recorder.name
    )


def _completed(chunks: Iterator[Any], trace: Trace, finished: Finished) -> Iterator[Any]:
    """Yield the events, then complete the trace's notes and losses.

    Raises NoEvents if there are no events.
    """
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
        message = _nothing(finished, trace.losses, trace.processes)
        raise NoEvents(message + ("" if trace.losses else reason), trace.processes)
    remedy = "" if finished.request.children else KEEP_CHILDREN
    trace.notes[:] = [note.replace(SELECT_PROCESS, remedy) for note in trace.notes]
    unknown = trace.dropped.get(REASONS[Reason.UNKNOWN_FREE], 0)
    if unknown > max(MAX_UNKNOWN_FREES * events, SOME_UNKNOWN_FREES):
        trace.losses.append(
            f"{counted(unknown, 'free')} of objects whose allocation {finished.recorder.name} did "
            "not record"
        )


def _nothing(finished: Finished, losses: list[str], others: Others) -> str:
    """Return the message for a process without events. `losses` may contain the reason."""
    name, recorder, outcome = finished.request.program.name, finished.recorder, finished.outcome
    if outcome.was_killed:
        return f"{name} {outcome.description} before {recorder.name} had recorded a call"
    if losses:
        return f"no call of {name} was recorded: {'; '.join(losses)}"
    if others:
        calls = counted(sum(others.values()), "call")
        remedy = "" if finished.request.children else KEEP_CHILDREN
        return f"no call of {name} was recorded, only {calls} of other processes{remedy}"
    return (
        f"no call of {name} was recorded: either it makes none, or it is a program of which "
        f"{recorder.name} records nothing ({recorder.blind_to})"
    )


def _summary(out: Path, seconds: float, recorded: int) -> str:
    """Return one line about the trace that was written to `out`.

    `recorded` is the size of the recording in bytes.
    """
    with closing(open_trace(str(out))) as written:
        events = written.length or 0
        return (
            f"wrote {out}: {counted(events, 'event')}, {format_bytes(out.stat().st_size)} "
            f"(recording: {format_bytes(recorded)}), in {seconds:.2f} s"
            + "".join(f"; incomplete: {loss}" for loss in written.losses)
            + "".join(f"; {note}" for note in written.notes)
            + (f"; dropped: {reasons_text(written.dropped)}" if written.dropped else "")
        )
