"""Recording: run a program under what this machine has to record malloc calls, keep a trace of it.

Above traces, whose readers read what the recorders leave; below the command line. One file for
each recorder. Its one rule: the program's own output and exit status come through as if nobody had
been watching, and nothing of the recorder is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from allocsim.errors import EnvironmentLacks, InputError, TraceError, UnknownName
from allocsim.events import Trace
from allocsim.quantities import counted, format_bytes
from allocsim.recorders import heaptrack, lttng, memray, mtrace
from allocsim.recorders.program import Ended, Program
from allocsim.recorders.recorder import CannotBegin, Recorder, workplace
from allocsim.traces import open_trace
from allocsim.traces.store import write_trace

RECORDERS: tuple[Recorder, ...] = (
    lttng.RECORDER,
    heaptrack.RECORDER,
    mtrace.RECORDER,
    memray.RECORDER,
)
"""Every recorder, the best first."""

Tell = Callable[[str], None]
"""Takes a line for the user."""


def record(program: Program, out: Path, wanted: str | None, tell: Tell) -> int:
    """Run `program` under the best recorder, or the one that is wanted; its exit status.

    The trace is then in `out`, as it was when that fails.
    """
    with workplace() as place:
        recorder, ended = _run(program, place, wanted, tell)
        size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        begun = time.monotonic()
        with recorder.read(place, ended) as trace:
            trace.name = program.name
            trace.description.pop("file", None)  # which is gone when this ends
            trace.description |= {"program": [*program.arguments], "recorder": recorder.name}
            trace.chunks = _required(trace.chunks, program, recorder)
            write_trace(trace, out)
        tell(_account(out, time.monotonic() - begun, size))
    return ended.status


def usable(program: Program, wanted: str | None) -> list[Recorder]:
    """The recorders that are here for `program`, the best first; EnvironmentLacks if none is."""
    known = [_named(wanted)] if wanted else [*RECORDERS]
    missing = {recorder.name: recorder.lacks(program) for recorder in known}
    found = [recorder for recorder in known if missing[recorder.name] is None]
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


def _required(chunks: Iterator[Any], program: Program, recorder: Recorder) -> Iterator[Any]:
    """The same events; InputError if there are none."""
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
            f"no call of {program.name} was recorded{reason}: {recorder.name} is blind to "
            f"{recorder.blind_to}"
        )


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
