"""The child process: one subject, one measurement, then it ends.

Started by `process` as `python -m allocsim.benchmark.child REQUEST`, with the events in a file
without a name and a pipe for what it has to say. Its one rule: it prepares all that it needs, says
so, makes the subject, says so, and measures; so its parent knows in which of them it died.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import sys
from typing import Any

import msgspec
import numpy as np

from allocsim.benchmark import memory, times
from allocsim.benchmark.figures import About, Memory, Times
from allocsim.benchmark.meter import resident, status_bytes
from allocsim.benchmark.stepping import new_run, play_steps, steps_to
from allocsim.benchmark.subject import Subject, library_of, make_subject, unready
from allocsim.driver import Touch
from allocsim.errors import AllocsimError, LimitExceeded
from allocsim.events import EVENT, no_events
from allocsim.libraries.environment import host_of
from allocsim.text import format_bytes

PR_SET_PDEATHSIG = 1


class Request(msgspec.Struct, kw_only=True):
    """What a child is to do."""

    subject: str
    measure: str
    """"memory" or "times"."""
    events: int
    """A descriptor: a file of EVENTs."""
    answer: int
    """A descriptor: where to say things, a line of JSON each."""
    touch: int
    limit: int
    """The most bytes of footprint."""
    reserve: int
    later: float = 1.0
    """Seconds after which what is kept is measured once more."""
    runs: int = 1
    warmup: int = 0


class Said(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A line from the child to its parent."""

    stage: str
    """"loading", "ready", then "done" or "failed"."""
    resident: int = 0
    """Bytes of the whole process, files included, when it was ready."""
    about: About = About()
    memory: Memory | None = None
    times: Times | None = None
    failure: str | None = None


def main(request: Request) -> None:
    """Do what is asked and say how it went."""
    _die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no file behind
    try:
        _measure(request)
    except AllocsimError as error:
        _say(request, Said(stage="failed", failure=str(error)))


def _measure(request: Request) -> None:
    """Prepare, make the subject, measure."""
    events = _events(request.events)
    touch = Touch(request.touch)
    kind = memory if request.measure == "memory" else times
    prepared = kind.prepare(events, touch, request.limit)
    _compile(request.subject, prepared.meter)
    _say(request, Said(stage="loading"))
    before = int(resident(prepared.meter))
    subject = make_subject(request.subject, request.reserve)
    about = _about(request.subject, subject)
    _say(request, Said(stage="ready", resident=status_bytes("VmRSS")))
    if isinstance(prepared, memory.Play):
        found = memory.measure(prepared, subject, before, request.later)
        _require_within(found, request.limit)
        _say(request, Said(stage="done", memory=found, about=about))
    else:
        taken = times.measure(prepared, subject, request.runs, request.warmup)
        _say(request, Said(stage="done", times=taken, about=about))


def _about(name: str, subject: Subject) -> About:
    """What a library is, and who serves Python beside it."""
    if subject.library is None:
        return About()
    host = host_of(library_of(name) or "")
    return About(version=subject.version(), path=subject.library.path, host=host)


def _require_within(found: Memory, limit: int) -> None:
    """LimitExceeded if the peak passed the limit between two looks."""
    if found.peak > limit:
        raise LimitExceeded(f"passed the limit with {format_bytes(found.peak)}")


def _events(descriptor: int) -> Any:
    """The events of a file, mapped and touched."""
    length = os.fstat(descriptor).st_size
    if not length:
        return no_events()
    mapped = np.frombuffer(mmap.mmap(descriptor, length), EVENT).view(np.recarray)
    mapped.op.max()
    return mapped


def _compile(name: str, meter: Any) -> None:
    """Have the kernels for the subject's type of heap ready."""
    play_steps(unready(name), new_run(1, Touch.NONE), no_events(), steps_to([]), meter)
    resident(meter)


def _say(request: Request, said: Said) -> None:
    """Write a line to the parent."""
    os.write(request.answer, msgspec.json.encode(said) + b"\n")


def _die_with_parent() -> None:
    """Have the kernel kill this process when its parent is gone, however that came."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Request))
