"""One recording: run the program under a recorder, then convert the recording to a trace.

Before the program runs, a message says what the recorder cannot see. Afterwards, another message
says which calls the recorder lost. Both are stored in the trace. While the trace is written, the
first interrupt only prints a warning, because stopping would lose the result of the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from allocsim.errors import EnvironmentLacks, InputError, TraceError
from allocsim.recorders import usable_recorders, why_not_best
from allocsim.recorders.base import Recorder, RecorderFailed, Request, work_directory
from allocsim.recorders.caveats import caveats_before, leftover_note, losses_after
from allocsim.recorders.conversion import Finished, NoEvents, Progress, Written, convert
from allocsim.recorders.guard import capabilities_here
from allocsim.recorders.plain_run import compared_with, run_plainly
from allocsim.recorders.program import Outcome
from allocsim.signals import InterruptConfirmed, interrupt_message

Notify = Callable[[str], None]
"""A function that shows the user a line."""


class Choice(NamedTuple):
    """The user's options for a recording, apart from those in `Request`."""

    recorder: str | None = None
    """A recorder's name; None for the best installed one."""
    cost: bool = False
    """First run the program without a recorder, to measure the recorder's cost."""
    force: bool = False
    """Overwrite existing files."""


class Session(NamedTuple):
    """The values that the functions of this module share during one recording."""

    request: Request
    directory: Path
    choice: Choice
    notify: Notify
    progress: Progress


class Result(NamedTuple):
    """The result of a recording."""

    status: int
    """The program's exit status."""
    trace: Path
    """The first trace that was written: the program's own, or else that of another process."""


def record(
    request: Request, out: Path, choice: Choice, notify: Notify, progress: Progress
) -> Result:
    """Run a program under a recorder, and write the trace to `out`.

    On failure `out` is unchanged. The error carries the program's exit status if that is not 0.
    """
    candidates = usable_recorders(request, choice.recorder)
    better = None if choice.recorder else why_not_best(request, candidates[0])
    if better:
        notify(better)
    plain = run_plainly(request.program, notify) if choice.cost else None
    with work_directory() as directory:
        session = Session(request, directory, choice, notify, progress)
        recorder, outcome = _run(session, candidates)
        if plain is not None:
            notify(compared_with(plain, outcome, request.program.name, recorder.name))
        finished = _finished(session, recorder, outcome)
        try:
            with InterruptConfirmed(
                "writing the trace of the program; interrupt again to discard it"
            ):
                trace = _write_all(session, finished, out)
        except InputError as error:
            error.exit_status = outcome.status or error.exit_status
            raise
    return Result(outcome.status, trace)


def _run(session: Session, candidates: list[Recorder]) -> tuple[Recorder, Outcome]:
    """Run the program under the first recorder that works.

    If a recorder does not work, the next one is tried, but only if it sees everything that the
    failed one sees. Otherwise RecorderFailed is raised, so that the user can decide whether a
    recorder that sees less is good enough.
    """
    first = candidates[0]
    for position, recorder in enumerate(candidates):
        _announce(session, recorder)
        begun = time.monotonic()
        try:
            with interrupt_message(lambda: f"before {session.request.program.name} was started"):
                outcome = recorder.run(session.request, session.directory)
        except RecorderFailed as error:
            others = candidates[position + 1 :]
            if not others or not others[0].capabilities.covers(first.capabilities):
                raise RecorderFailed(_failure(recorder, error, others)) from error
            session.notify(f"{recorder.name} does not work: {error}")
            continue
        name, overhead = recorder.name, time.monotonic() - begun - outcome.seconds
        session.notify(
            f"{session.request.program.name} {outcome.description} after {outcome.seconds:.2f} s "
            f"under {name}; starting and stopping {name} took {overhead:.2f} s"
        )
        return recorder, outcome
    raise EnvironmentLacks("no recorder can record the program")


def _failure(recorder: Recorder, error: RecorderFailed, others: list[Recorder]) -> str:
    """Return the message for a recorder that does not work and is not replaced by another one."""
    text = f"{recorder.name} does not work: {error}"
    if others:
        other = others[0]
        text += f"; use --with {other.name}, which does not record {other.capabilities.lacking}"
    return text


def _announce(session: Session, recorder: Recorder) -> None:
    """Notify the user of what is recorded, and what is not."""
    session.notify(f"recording with {recorder.name}: {recorder.summary}")
    lacking = capabilities_here(recorder).lacking
    if lacking:
        session.notify(f"{recorder.name} does not record {lacking}")
    for caveat in caveats_before(session.request, recorder):
        session.notify(caveat)


def _finished(session: Session, recorder: Recorder, outcome: Outcome) -> Finished:
    """Return the finished recording, and notify the user of what it lacks."""
    program, directory = session.request.program, session.directory
    losses = losses_after(recorder, directory, outcome)
    leftover = leftover_note(directory)
    for line in filter(None, [*losses, leftover]):
        session.notify(line)
    if outcome.was_killed and not session.choice.cost:
        session.notify(
            f"{recorder.name} may be the reason why {program.name} was killed; to find out, use "
            f"--cost, which runs {program.name} with and without {recorder.name}"
        )
    notes = [*caveats_before(session.request, recorder), *filter(None, [leftover])]
    return Finished(session.request, recorder, directory, outcome, losses, notes)


def _write_all(session: Session, finished: Finished, out: Path) -> Path:
    """Write the trace of the program and, if requested, those of the processes it started.

    Returns the first file that was written. If no process made a call that gives an event, writes
    no file and raises NoEvents.
    """
    written, missing = [out], None
    try:
        summary, others = _convert(session, finished, out)
        session.notify(summary)
    except NoEvents as error:
        written, missing, others = [], error, error.others
    for process in sorted(others) if session.request.children else ():
        written += _write_child(session, finished.of_process(process), out)
    if missing and not written:
        raise missing
    if missing:
        session.notify(f"'{out}' was not written: {missing}")
    return written[0]


def _convert(session: Session, finished: Finished, out: Path) -> Written:
    """Write the trace of the process in `finished`.

    If `out` cannot be written, for example because the disk is full, the trace is written next to
    the work directory, so that the result of the run is not lost. EnvironmentLacks then says where
    the trace is.
    """
    try:
        return convert(finished, out, session.progress)
    except EnvironmentLacks as error:
        rescued = session.directory.with_name(f"{session.directory.name}.allocsim")
        convert(finished, rescued, session.progress)
        raise EnvironmentLacks(f"{error}; the trace is in '{rescued}'") from error


def _write_child(session: Session, finished: Finished, out: Path) -> list[Path]:
    """Write the trace of another process to a file named after `out` and the process id.

    Returns the file, or an empty list if it was not written.
    """
    label = finished.recorder.label(finished.directory, finished.outcome.process)
    path = out.with_name(f"{out.name.removesuffix('.allocsim')}.{label}.allocsim")
    if path.exists() and not session.choice.force:
        session.notify(f"'{path}' already exists; use --force to overwrite it")
        return []
    try:
        session.notify(_convert(session, finished, path).summary)
    except (NoEvents, TraceError) as error:
        session.notify(f"'{path}' was not written: {error}")
        return []
    return [path]
