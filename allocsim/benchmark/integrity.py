"""The integrity check: live objects must not overlap, must be aligned and must keep their contents.

Figures alone do not show a broken allocator: one that returns the same address for all objects is
fast and small. Therefore, after the memory of a subject (a design or a malloc library) has been
measured, the subject replays the beginning of the workload again, with a fill pattern in every
object.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.benchmark.memory import Setup
from allocsim.benchmark.stepping import one_step, replay_steps
from allocsim.benchmark.subject import Subject
from allocsim.core.jit import PURE
from allocsim.core.records import Table
from allocsim.driver import Run, Stop, first_broken
from allocsim.errors import Corruption
from allocsim.events import Event, Op
from allocsim.player import NEVER
from allocsim.text import counted

MAX_EVENTS, MAX_BYTES = (1 << 11, 1 << 20) if PURE else (1 << 18, 1 << 30)
"""Maximum number of events that the check replays, and maximum sum of their requested bytes.
Within these maxima, the compiled check takes at most 0.5 s. Pure Python writes patterns a thousand
times slower, and has smaller maxima."""

ALIGNMENT = 16
"""alignof(max_align_t) on x86-64 and arm64, in bytes."""

LOST = "realloc does not keep the contents of objects"
"""`About.flaw` of a library that has this defect and no other."""


def require_intact(subject: Subject, setup: Setup) -> str | None:
    """Replay the beginning of the events with patterns; raise Corruption if the subject is broken.

    The caller has freed all objects. Returns None if nothing is wrong, or LOST if realloc loses
    contents. LOST ends the check, but the figures remain valid.
    """
    run, begin = setup.run, setup.events[: _length(setup.events)]
    begin = begin[begin.op <= Op.FREE]  # no ends of threads: one thread replays all calls
    driver = run.driver[0]
    replayed = driver.events
    # A design aligns objects as the modelled allocator does, perhaps to less than 16 bytes.
    driver.verify, driver.alignment = 1, ALIGNMENT if subject.library else 1
    # No limit is needed: MAX_BYTES bounds the live bytes, and the parent process kills this process
    # if a library takes too much memory.
    driver.limit = NEVER
    steps = one_step(begin)
    if replay_steps(subject.state, run, begin, steps, setup.meter) == len(steps):
        broken = first_broken(run, np.flatnonzero(run.objects.address))
        if broken < 0:
            return None
        raise Corruption(_overlap(run) or _changed(run, broken))
    event, stop = begin[int(driver.events - replayed)], Stop(int(driver.stop))
    if stop == Stop.PATTERN and event.op == Op.REALLOC and not _overlap(run):
        return LOST
    raise Corruption(_describe(stop, run, event))


def _length(events: Table[Event]) -> int:
    """Return how many of the events stay within MAX_EVENTS and MAX_BYTES."""
    requested = np.cumsum(events[:MAX_EVENTS].request)
    return int(np.searchsorted(requested, MAX_BYTES, side="right"))


def _describe(stop: Stop, run: Run, event: Any) -> str:
    """Return the message for a check that stopped at `event`."""
    call = f"{Op(event.op).name.lower()} of {counted(int(event.request), 'byte')}"
    address = int(run.objects.address[event.object])
    if stop == Stop.MISALIGNED:
        requested = 1 << int(event.alignment) if event.op == Op.MEMALIGN else 1
        required = max(requested, ALIGNMENT)
        return f"broken: {call} returned {address:#x}, which is not aligned to {required} bytes"
    if stop == Stop.PATTERN:
        return _overlap(run) or _changed(run, int(event.object))
    if stop == Stop.NOT_ZERO:
        return (
            _overlap(run) or f"broken: {call} returned memory at {address:#x} that is not all zeros"
        )
    reason = "out of memory" if stop == Stop.REFUSED else stop.name
    return f"broken: {call} failed when the workload was replayed once more: {reason}"


def _changed(run: Run, number: int) -> str:
    """Return the message for an object whose pattern was overwritten."""
    address, request = run.objects[number].tolist()
    length = counted(request, "byte")
    return f"broken: the contents of {length} at {address:#x} changed while in use"


def _overlap(run: Run) -> str:
    """Return the message for two live objects that overlap, or "" if no two objects do."""
    live = run.objects[(run.objects.address != 0) & (run.objects.request > 0)]
    live = live[np.argsort(live.address, kind="stable")]
    ends = live.address[:-1] + live.request[:-1]
    for index in np.flatnonzero(ends > live.address[1:])[:1]:
        (first, length), (second, other) = live[index : index + 2].tolist()
        if first == second:
            return f"broken: returned {first:#x} for two objects that are both in use"
        return (
            "broken: two objects that are both in use overlap: "
            f"{counted(length, 'byte')} at {first:#x} and {counted(other, 'byte')} at {second:#x}"
        )
    return ""
