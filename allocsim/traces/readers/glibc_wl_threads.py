"""The threads of a workload of glibc's trace-utils, run into a single stream of calls.

Below `wl`, which finds where each thread's stream begins. The streams are in no common order but
for their syncs: one thread writes a sync, and those that wait for it go on only then. Threads that
can go take turns of TURN calls. Its one rule: no byte is run twice, so a file ends however damaged
it is.

Byte codes, with numbers in base 128, most significant group first, all but the last with bit 7 set:

    2 malloc SLOT SIZE    4 realloc SLOT OLD SIZE    12 memalign SLOT ALIGN SIZE    0 nothing
    3 calloc SLOT SIZE    5 free SLOT                13 valloc SLOT SIZE            1 done
    6 write SYNC          7 wait SYNC                14 pvalloc SLOT SIZE
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.events import Op
from allocsim.traces.calls import HUGE, PAGE

TURN = 64
"""Calls after which another thread goes on."""

STEP = 16
"""The invented address of a slot is this times its number; slot 0 is NULL."""

MOST_GROUPS = 64
"""Groups of a number; 10 hold 64 bits. All threads may wait for the same one, and each reads it."""


class Code(IntEnum):
    """The byte codes."""

    NOTHING = 0
    DONE = 1
    MALLOC = 2
    CALLOC = 3
    REALLOC = 4
    FREE = 5
    WRITE = 6
    WAIT = 7
    SLOTS = 8
    SYNCS = 9
    THREADS = 10
    START = 11
    MEMALIGN = 12
    VALLOC = 13
    PVALLOC = 14


class Stop(IntEnum):
    """Why `run` has returned, and what a step of a thread came to."""

    FULL = 0
    """The output is full."""
    END = 1
    """Every thread is done."""
    STUCK = 2
    """Every thread that is not done waits for a sync that nobody is left to write."""
    BROKEN = 3
    """run.position is where what follows is no call, or where the file ends within one."""
    MADE = 4
    """The step made a call."""
    PASSED = 5
    """The step made none."""
    WAITS = 6
    """The thread has to wait."""
    DONE = 7
    """The thread is done, which is a call too."""


RUN = np.dtype(
    [
        ("calls", np.int64),  # calls written to the current output
        ("read", np.int64),  # bytes run by all threads
        ("position", np.int64),  # where the number that was read last ends; -1: there was none
        ("slots", np.int64),  # the largest slot that may be named
        ("first", np.int64),  # the thread whose turn it is, + 1; 0: none can go
        ("last", np.int64),  # the thread whose turn comes last, + 1
        ("left", np.int64),  # calls left of the turn
        ("done", np.int64),  # threads that are done
    ]
)

THREAD = np.dtype(
    [
        ("position", np.int64),  # where its stream goes on
        ("following", np.int64),  # the thread behind it in a queue, + 1; 0: none
    ]
)

SYNC = np.dtype([("written", np.int64), ("waiting", np.int64)])  # 1 or 0; the first thread, + 1


class Threads(NamedTuple):
    """The state of a run."""

    content: np.ndarray  # uint8, the file
    run: np.recarray  # one RUN
    threads: np.recarray  # THREAD
    syncs: np.recarray  # SYNC


def started(content: np.ndarray, starts: list[int], slots: int, syncs: int) -> Threads:
    """The state before the first call, all threads waiting for their turns."""
    run, threads = np.zeros(1, RUN), np.zeros(len(starts), THREAD)
    threads["position"] = starts
    threads["following"][:-1] = np.arange(2, len(starts) + 1)
    run["slots"], run["left"], run["last"] = slots, TURN, len(starts)
    run["first"] = min(len(starts), 1)
    table = np.zeros(syncs + 1, SYNC)
    views = (array.view(np.recarray) for array in (run, threads, table))
    return Threads(content, *views)


@kernel
def run_threads(state: Threads, calls: np.recarray) -> int:
    """Fill `calls` from where the threads stand; the Stop that ended it."""
    run = state.run[0]
    run.calls = 0
    while run.calls < len(calls):
        if run.first == 0:
            return Stop.END if run.done == len(state.threads) else Stop.STUCK
        thread = state.threads[run.first - 1]
        begun = thread.position
        step = _step(state, thread, calls[run.calls])
        run.read += thread.position - begun
        if step == Stop.BROKEN or run.read > len(state.content):
            run.position = begun
            return Stop.BROKEN
        if step in (Stop.MADE, Stop.DONE):
            calls[run.calls].thread = run.first - 1
            run.calls += 1
            run.left -= 1
        if step == Stop.DONE:
            run.done += 1
            _leave(state)
        elif step != Stop.WAITS and run.left <= 0:
            _enter(state, _leave(state))
    return Stop.FULL


@kernel
def _step(state: Threads, thread: np.record, call: np.record) -> int:
    """What the next code of the thread comes to; a call of it goes into `call`."""
    run, content = state.run[0], state.content
    if thread.position >= len(content):
        return Stop.BROKEN
    code = content[thread.position]
    run.position = thread.position + 1
    call.process = 0
    call.old = 0
    call.request = 0
    call.alignment = 0
    if code in (Code.WRITE, Code.WAIT):
        return _sync(state, thread, code == Code.WAIT)
    if code == Code.DONE:
        call.op = Op.THREAD_DONE
        call.address = 0
    elif code != Code.NOTHING:
        _call(state, code, call)
    if run.position < 0:
        return Stop.BROKEN
    thread.position = run.position
    if code == Code.DONE:
        return Stop.DONE
    return Stop.PASSED if code == Code.NOTHING else Stop.MADE


@kernel
def _call(state: Threads, code: int, call: np.record) -> None:
    """Read a call; run.position is -1 if there is none."""
    call.address = _slot(state)
    if code == Code.FREE:
        call.op = Op.FREE
        return
    call.op = Op.MALLOC
    if code == Code.CALLOC:
        call.op = Op.CALLOC
    elif code == Code.REALLOC:
        call.op = Op.REALLOC
        call.old = _slot(state)
    elif code == Code.MEMALIGN:
        call.op = Op.MEMALIGN
        call.alignment = number(state.content, state.run[0])
    elif code in (Code.VALLOC, Code.PVALLOC):
        call.op = Op.MEMALIGN
        call.alignment = PAGE
    elif code != Code.MALLOC:
        state.run[0].position = -1
        return
    call.request = number(state.content, state.run[0])


@kernel
def _sync(state: Threads, thread: np.record, waits: bool) -> int:
    """Write a sync, and let those that wait for it go on; or wait for one."""
    run = state.run[0]
    which = number(state.content, run)
    if run.position < 0 or which >= len(state.syncs):
        return Stop.BROKEN
    sync = state.syncs[which]
    if waits and not sync.written:
        waiting = _leave(state)
        state.threads[waiting - 1].following = sync.waiting
        sync.waiting = waiting
        return Stop.WAITS
    thread.position = run.position
    if not waits:
        sync.written = 1
        while sync.waiting:
            waiting = sync.waiting
            sync.waiting = state.threads[waiting - 1].following
            _enter(state, waiting)
    return Stop.PASSED


@kernel
def _leave(state: Threads) -> int:
    """Take the thread whose turn it is out of the queue; its number + 1."""
    run = state.run[0]
    leaving = run.first
    run.first = state.threads[leaving - 1].following
    run.left = TURN
    return leaving


@kernel
def _enter(state: Threads, entering: int) -> None:
    """Put a thread, given by its number + 1, at the end of the queue."""
    run = state.run[0]
    state.threads[entering - 1].following = 0
    if run.first:
        state.threads[run.last - 1].following = entering
    else:
        run.first = entering
    run.last = entering


@kernel
def _slot(state: Threads) -> int:
    """Read a slot: its address; run.position is -1 if there is none, or none of that number."""
    run = state.run[0]
    slot = number(state.content, run)
    if slot > run.slots:
        run.position = -1
        return 0
    return slot * STEP


@kernel
def number(content: np.ndarray, run: np.record) -> int:
    """Read a number at run.position, unless that is -1; HUGE if it is larger."""
    value, group, position = 0, 0x80, run.position
    end = min(position + MOST_GROUPS, len(content))
    while group & 0x80:
        if not 0 <= position < end:
            run.position = -1
            return 0
        group = int(content[position])
        value = min(value, HUGE >> 7) << 7 | (group & 0x7F)
        position += 1
    run.position = position
    return min(value, HUGE)
