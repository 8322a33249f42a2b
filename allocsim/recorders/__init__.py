"""Recording: run a program under what this machine has to record malloc calls, keep a trace of it.

Above traces, whose readers read what the recorders leave; below the command line. One file for
each recorder. Its one rule: the program's own output and exit status come through as if nobody had
been watching, and nothing of the recorder is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, NamedTuple

from allocsim.errors import EnvironmentLacks, InputError, TraceError, UnknownName
from allocsim.events import Trace
from allocsim.recorders import heaptrack, lttng, memray, mtrace
from allocsim.recorders.base import CannotBegin, Recorder, workplace
from allocsim.recorders.program import Ended, Program, advice_on
from allocsim.signals import Reluctant
from allocsim.text import counted, format_bytes
from allocsim.traces import CHOOSE, open_trace
from allocsim.traces.native.file import write_trace

RECORDERS: tuple[Recorder, ...] = (
    lttng.RECORDER,
    heaptrack.RECORDER,
    mtrace.RECORDER,
    memray.RECORDER,
)
"""Every recorder, the best first."""

Tell = Callable[[str], None]
"""Takes a line for the user."""

Watch = Callable[[Trace], AbstractContextManager[None]]
"""Makes a block in which a trace is taken: with a bar on a terminal."""

KEEP_CHILDREN = ": --children keeps each in a file of its own"
"""How a user gets at the calls of the processes that a program has started."""


class Choice(NamedTuple):
    """What the user says of a recording."""

    recorder: str | None = None
    """None: the best that is here."""
    children: bool = False
    """Keep the traces of the processes that the program has started, too."""
    force: bool = False
    """Write over files that are there."""


class Kept(NamedTuple):
    """A recording that lies in the workplace, and who is told of it."""

    program: Program
    recorder: Recorder
    place: Path
    choice: Choice
    tell: Tell
    watch: Watch


def record(program: Program, out: Path, choice: Choice, tell: Tell, watch: Watch) -> int:
    """Run `program` under a recorder and keep its trace in `out`; the program's exit status.

    When that fails `out` is as it was, and the error ends with the program's status if that was
    not 0. `watch` makes a block in which a trace is read and written.
    """
    with workplace() as place:
        recorder, ended = _run(program, place, choice.recorder, tell)
        for advice in advice_on(program, recorder.name, ended):
            tell(advice)
        kept = Kept(program, recorder, place, choice, tell, watch)
        try:
            with Reluctant(
                "the program has ended, and its trace is being written: once more to lose it"
            ):
                others = _keep(kept, ended, out)
                if choice.children:
                    for process in sorted(others):
                        _keep_child(kept, ended._replace(process=process), out)
        except InputError as error:
            error.exit_status = ended.status or error.exit_status
            raise
    return ended.status


def _keep(kept: Kept, ended: Ended, out: Path) -> dict[int, int]:
    """Write the trace of a process; the other processes of the recording, with their calls."""
    size = sum(file.stat().st_size for file in kept.place.rglob("*") if file.is_file())
    begun = time.monotonic()
    with kept.recorder.read(kept.place, ended) as trace:
        trace.name = kept.program.name
        trace.description.pop("file", None)  # which is gone when this ends
        trace.description |= {
            "program": [*kept.program.arguments],
            "recorder": kept.recorder.name,
        }
        trace.chunks = _required(trace.chunks, trace.notes, kept)
        with kept.watch(trace):
            write_trace(trace, out)
        others = trace.processes
    kept.tell(_account(out, time.monotonic() - begun, size))
    return others


def _keep_child(kept: Kept, ended: Ended, out: Path) -> None:
    """Write the trace of another process beside that of the program."""
    beside = out.with_name(f"{out.name.removesuffix('.allocsim')}.{ended.process}.allocsim")
    if beside.exists() and not kept.choice.force:
        kept.tell(f"{beside} is there already: --force writes over it")
        return
    try:
        _keep(kept, ended, beside)
    except TraceError as error:  # nothing of it reaches a heap
        kept.tell(f"{beside} was not written: {error}")


def usable(program: Program, wanted: str | None) -> list[Recorder]:
    """The recorders that are here for `program`, the best first; EnvironmentLacks if none is."""
    known = [_named(wanted)] if wanted else [*RECORDERS]
    missing = {recorder.name: recorder.lacks(program) for recorder in known}
    found = [recorder for recorder in known if missing[recorder.name] is None]
    if not found and wanted:
        raise EnvironmentLacks(f"{wanted} cannot record {program.name}: {missing[wanted]}")
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise EnvironmentLacks(
            f"nothing here records {program.name}; best is {known[0].install} ({reasons})"
        )
    return found


def _run(program: Program, place: Path, wanted: str | None, tell: Tell) -> tuple[Recorder, Ended]:
    """Run the program under the first recorder that works; which it was, and how it ended."""
    candidates = usable(program, wanted)
    for recorder in candidates:
        tell(f"recording with {recorder.name}: {recorder.why}")
        begun = time.monotonic()
        try:
            ended = recorder.run(program, place)
        except CannotBegin as error:
            if recorder is candidates[-1]:
                raise
            tell(f"{recorder.name} does not work here: {error}")
            continue
        around = time.monotonic() - begun - ended.seconds
        tell(
            f"{program.name} {ended.story} after {ended.seconds:.2f} s; "
            f"{recorder.name} took {around:.2f} s more to begin and end"
        )
        return recorder, ended
    raise AssertionError("usable() gives one recorder at the least")


def _named(name: str) -> Recorder:
    """The recorder of that name."""
    for recorder in RECORDERS:
        if recorder.name == name:
            return recorder
    raise UnknownName("recorder", name, [recorder.name for recorder in RECORDERS])


def _required(chunks: Iterator[Any], notes: list[str], kept: Kept) -> Iterator[Any]:
    """The same events; InputError if there are none. The notes then say what a recorder can do."""
    events, reason = 0, ""
    with closing(Trace("", chunks, {})):
        try:
            for chunk in chunks:
                events += len(chunk)
                yield chunk
        except TraceError as error:
            if events:
                raise
            reason = f" ({error})"
    if not events:
        raise InputError(
            f"no call of {kept.program.name} was recorded{reason}: {kept.recorder.name} is blind "
            f"to {kept.recorder.blind_to}"
        )
    way_out = "" if kept.choice.children else KEEP_CHILDREN
    notes[:] = [note.replace(CHOOSE, way_out) for note in notes]


def _account(out: Path, seconds: float, recorded: int) -> str:
    """What is in the file that was written, in words."""
    with closing(open_trace(str(out))) as written:
        left_out = ", ".join(f"{reason} {count:,}" for reason, count in written.dropped.items())
        return (
            f"wrote {out}: {counted(written.length or 0, 'event')}, "
            f"{format_bytes(out.stat().st_size)} from the {format_bytes(recorded)} that were "
            f"recorded, in {seconds:.2f} s"
            + "".join(f"; {note}" for note in written.notes)
            + (f"; left out: {left_out}" if left_out else "")
        )
