"""The kernel that an OS thread runs to replay the events of one recorded thread.

A turn is the events of the thread in one epoch (see `benchmark.threads`). An object that several
threads use is shared. Each allocation or reallocation gives a shared object a new version, and the
object's next event waits for this version (see `plan`).
"""

from __future__ import annotations

from allocsim.benchmark.threads.futex import ALL, wait_for, wake
from allocsim.benchmark.threads.records import SHARED, VERSIONS, Stage
from allocsim.benchmark.threads.turns import (
    FAILED,
    FOREVER,
    SHARED_BYTES,
    THREAD_BYTES,
    finish_turn,
    request,
    wait_turn,
)
from allocsim.core.atomics import fetch_add, load_acquire
from allocsim.core.c_function import c_function
from allocsim.core.jit import kernel
from allocsim.core.records import Record
from allocsim.driver import replay_event
from allocsim.events import Op
from allocsim.libraries.state import Library, call_c

THREAD_CPU = 3
"""Linux's number for the clock of the calling thread's CPU time."""

SECONDS = 8
"""Offset of `seconds` in a ReplayThread."""

VERSION, WAITING = 16, 24
"""Offsets of fields in a Shared."""


@c_function
def run_thread(stage: Stage) -> int:
    """Replay all turns of the thread; return 0.

    If the recording does not contain the end of the thread, the thread then waits until the
    supervisor ends it (see FOREVER).
    """
    thread, number = stage.thread[0], stage.thread[0].first
    position = thread.begin
    while number:
        turn = stage.turns[number]
        wait_turn(stage, turn.epoch)
        if stage.control[0].failed:
            break
        if not _replay_turn(stage, position, turn.end):
            stage.control[0].failed = thread.number + 1
            request(stage, FAILED)
            break
        position = turn.end
        if turn.ends:  # the supervisor joins this thread and finishes the turn
            request(stage, -thread.number - 1)
            return 0
        number = turn.next
        finish_turn(stage, turn.epoch)
    wait_turn(stage, FOREVER)
    return 0


@kernel
def _replay_turn(stage: Stage, begin: int, end: int) -> bool:
    """Replay events of the stream, and measure their time if the replay is timed.

    Returns False if an event fails.
    """
    if not stage.control[0].timed:
        return _replay(stage, begin, end)
    before = _processor_time(stage)
    result = _replay(stage, begin, end)
    stage.thread[0].cpu += _processor_time(stage) - before
    return result


@kernel
def _replay(stage: Stage, begin: int, end: int) -> bool:
    """Replay events of the stream; return False if one fails (see `Driver.stop`)."""
    library, driver, stream = Library(stage.function), stage.driver[0], stage.stream
    for position in range(begin, end):
        event = stream[position]
        if event.object >= SHARED:
            if not _replay_shared(stage, library, event):
                return False
        elif not replay_event(library, driver, stage.unshared[event.object], event):
            return False
    return True


@kernel
def _replay_shared(stage: Stage, library: Library, event: Record) -> bool:
    """Replay an event of a shared object; return False if it fails (see `Driver.stop`).

    Before an event that resizes or frees the object, this function waits until the other threads
    have published the version that the event needs. Then only this thread uses the object until
    it publishes the next version.
    """
    control, slot = stage.control[0], event.object - SHARED
    address = control.shared + SHARED_BYTES * slot
    if event.op >= Op.REALLOC and load_acquire(address + VERSION) != event.thread:
        wait_for(control, address + VERSION, address + WAITING, event.thread)
    if not replay_event(library, stage.driver[0], stage.shared[slot], event):
        return False
    next_version = 0 if event.op == Op.FREE else (event.thread + 1) & VERSIONS
    # An addition is a full barrier, unlike a store. So either a thread that begins to wait sees
    # the new version, or this thread sees that the other one waits.
    fetch_add(address + VERSION, next_version - event.thread)
    if load_acquire(address + WAITING):
        wake(control, address + VERSION, ALL)
    return True


@kernel
def _processor_time(stage: Stage) -> int:
    """Return the CPU time of this thread in nanoseconds."""
    control, thread = stage.control[0], stage.thread[0]
    address = control.threads + THREAD_BYTES * thread.number + SECONDS
    call_c(control.clock_gettime, (THREAD_CPU, address))
    return 1_000_000_000 * thread.seconds + thread.nanoseconds
