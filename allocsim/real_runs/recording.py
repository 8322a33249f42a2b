"""Record a program for a comparison."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.recorders import usable_recorders
from allocsim.recorders.base import Request
from allocsim.recorders.caveats import caveats_before, leftover_note, losses_after
from allocsim.recorders.conversion import Finished, convert
from allocsim.traces import open_trace

RECORDER = "preload"


def record(
    request: Request, directory: Path, accepted: int | None, advice: str
) -> tuple[int, Trace]:
    """Record a program in a work directory; return its exit status and the trace.

    Raises InputError if the exit status is not `accepted`; None accepts any. The message ends with
    `advice`.
    """
    [recorder] = usable_recorders(request, RECORDER)
    outcome = recorder.run(request, directory)
    if accepted is not None and outcome.status != accepted:
        raise InputError(f"{request.program.name} {outcome.description}{advice}")
    notes = [*caveats_before(request, recorder), *filter(None, [leftover_note(directory)])]
    losses = losses_after(recorder, directory, outcome)
    finished = Finished(request, recorder, directory, outcome, losses, notes)
    out = directory / f"{request.program.name}.allocsim"
    convert(finished, out, lambda _: nullcontext())
    trace = open_trace(str(out))
    trace.name = request.program.name
    trace.description.pop("file", None)  # the file is removed with the directory
    return outcome.status, trace
