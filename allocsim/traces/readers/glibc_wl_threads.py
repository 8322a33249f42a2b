"""The threads of a glibc trace-utils workload, merged into a single stream of calls.

Each thread has a stream of byte codes (see `glibc_wl_codes`). A slot is a variable for one pointer;
a call names a block by its slot. The streams are ordered only by syncs: a thread that waits for a
sync continues once another thread has written the sync. Runnable threads take turns of TURN calls.
The import fails once all threads together have read more bytes than the file has. This bounds the
time that a damaged file with overlapping streams can take.

Each thread has a window, a buffer into which `glibc_wl` reads the next bytes of the thread's
stream. The file is not mapped, because SIGBUS ends the process if a mapped file shrinks.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.events import Op
from allocsim.traces.calls import HUGE, PAGE, SLOT_SIZE, CallRecord
from allocsim.traces.readers.glibc_wl_codes import Code

TURN = 64
"""Number of calls that a thread makes in one turn."""

MAX_GROUPS = 64
"""Maximum number of groups of 7 bits in a number; 64 bits need 10. Without this maximum, a damaged
file could keep the import busy: each of many threads could read a very long number, and then wait
for the sync with this number. The limit on the bytes read would not stop the import, because the
bytes of a wait are counted only once the thread continues."""

MAX_CALL = 1 + 3 * MAX_GROUPS
"""Length of the longest call in bytes."""


class Stop(IntEnum):
    """The reason why `run_threads` returned, or the result of a step.

    A step executes one code of a thread.
    """

    OUTPUT_FULL = 0
    END = 1
    """Every thread is done."""
    DEADLOCK = 2
    """Every remaining thread waits, and no thread is left to write the syncs."""
    BROKEN = 3
    """The bytes at run.position are not a valid call, or the file ends within one."""
    MADE = 4
    """The step made a call."""
    PASSED = 5
    """The step made no call."""
    WAITS = 6
    """The thread has to wait."""
    DONE = 7
    """The thread is done; the step made a THREAD_DONE call."""
    WINDOW_USED = 8
    """The window of the current thread may end within a call."""


class Run(Struct):
    """Counters of the import, and the queue of runnable threads.

    A queue refers to a thread by the thread's number + 1, because 0 means no thread.
    """

    calls: Int64  # calls written to the current output
    length: Int64  # length of the file in bytes
    read: Int64  # number of bytes that all threads have read
    position: Int64  # end of the last number read; -1: the number was invalid
    end: Int64  # end of the current thread's window, which a number must not cross
    slots: Int64  # highest valid slot
    first: Int64  # thread whose turn it is; 0: no thread is runnable
    last: Int64  # thread whose turn comes last
    left: Int64  # calls left in the current turn
    done: Int64  # number of threads that are done


class Thread(Struct):
    """A thread."""

    position: Int64  # where its stream continues in `content`
    end: Int64  # end of its window in `content`
    offset: Int64  # file offset of a byte in its window, minus the byte's position in `content`
    following: Int64  # next thread in the same queue; 0: none


class Sync(Struct):
    """A sync, which threads write and wait for."""

    written: Int64  # 1 or 0
    waiting: Int64  # first thread that waits for it; 0: none


class Threads(NamedTuple):
    """State of the import."""

    content: np.ndarray  # uint8: the windows of all threads, of equal size
    run: Table[Run]  # one row
    threads: Table[Thread]
    syncs: Table[Sync]


def start_threads(length: int, starts: list[int], slots: int, syncs: int, window: int) -> Threads:
    """Return the state before the first call: all threads runnable, in order.

    `length` is the file's size in bytes, and `window` the size of each thread's window. The windows
    are empty at first.
    """
    run, threads = records(Run), records(Thread, len(starts))
    threads.position[:] = threads.end[:] = window * np.arange(len(starts))
    threads.offset[:] = starts - threads.position
    threads.following[:-1] = np.arange(2, len(starts) + 1)
    run[0].slots, run[0].left, run[0].last = slots, TURN, len(starts)
    run[0].first = min(len(starts), 1)
    run[0].length = length
    content = np.zeros(window * len(starts), np.uint8)
    return Threads(content, run, threads, records(Sync, syncs + 1))


@kernel
def run_threads(state: Threads, calls: Table[CallRecord]) -> int:
    """Continue the threads and fill `calls` from run.calls on; return a Stop."""
    run = state.run[0]
    while run.calls < len(calls):
        if run.first == 0:
            return Stop.END if run.done == len(state.threads) else Stop.DEADLOCK
        thread = state.threads[run.first - 1]
        if thread.end - thread.position < MAX_CALL and thread.end + thread.offset < run.length:
            return Stop.WINDOW_USED
        start = thread.position
        step = _step(state, thread, calls[run.calls])
        run.read += thread.position - start
        # In a valid file, the threads together read no more bytes than the file has.
        if step == Stop.BROKEN or run.read > run.length:
            run.position = start
            return Stop.BROKEN
        if step in (Stop.MADE, Stop.DONE):
            calls[run.calls].thread = run.first - 1
            run.calls += 1
            run.left -= 1
        if step == Stop.DONE:
            run.done += 1
            _dequeue(state)
        elif step != Stop.WAITS and run.left <= 0:
            _enqueue(state, _dequeue(state))
    return Stop.OUTPUT_FULL


@kernel
def _step(state: Threads, thread: Thread, call: CallRecord) -> int:
    """Execute the thread's next code, filling `call` if the code is a call; return a Stop."""
    run, content = state.run[0], state.content
    if thread.position >= thread.end:
        return Stop.BROKEN
    run.end = thread.end
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
def _call(state: Threads, code: int, call: CallRecord) -> None:
    """Read a call; run.position is -1 on failure."""
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
        call.alignment = read_number(state.content, state.run[0])
    elif code in (Code.VALLOC, Code.PVALLOC):
        call.op = Op.MEMALIGN
        call.alignment = PAGE
    elif code != Code.MALLOC:
        state.run[0].position = -1
        return
    call.request = read_number(state.content, state.run[0])


@kernel
def _sync(state: Threads, thread: Thread, waits: bool) -> int:
    """If `waits`, wait for a sync; else write it and make the threads that wait for it runnable.

    Returns a Stop. If the sync has already been written, the thread does not wait.
    """
    run = state.run[0]
    number = read_number(state.content, run)
    if run.position < 0 or number >= len(state.syncs):
        return Stop.BROKEN
    sync = state.syncs[number]
    if waits and not sync.written:
        waiting = _dequeue(state)
        state.threads[waiting - 1].following = sync.waiting
        sync.waiting = waiting
        return Stop.WAITS
    thread.position = run.position
    if not waits:
        sync.written = 1
        while sync.waiting:
            waiting = sync.waiting
            sync.waiting = state.threads[waiting - 1].following
            _enqueue(state, waiting)
    return Stop.PASSED


@kernel
def _dequeue(state: Threads) -> int:
    """Remove the first thread, which is the current one, from the queue; return its number + 1."""
    run = state.run[0]
    leaving = run.first
    run.first = state.threads[leaving - 1].following
    run.left = TURN
    return leaving


@kernel
def _enqueue(state: Threads, entering: int) -> None:
    """Append a thread, given as number + 1, to the queue."""
    run = state.run[0]
    state.threads[entering - 1].following = 0
    if run.first:
        state.threads[run.last - 1].following = entering
    else:
        run.first = entering
    run.last = entering


@kernel
def _slot(state: Threads) -> int:
    """Read the number of a slot; return an address for its block, or 0 (NULL) for slot 0.

    The file has no addresses, so the address is made from the number of the slot. On failure,
    run.position is -1.
    """
    run = state.run[0]
    slot = read_number(state.content, run)
    if slot > run.slots:
        run.position = -1
        return 0
    return slot * SLOT_SIZE


@kernel
def read_number(content: np.ndarray, run: Run) -> int:
    """Return the number at run.position, at most HUGE, and move run.position to the number's end.

    On failure (no valid number starts there, or run.position is already -1), run.position is -1 and
    the result is 0.
    """
    value, group, position = 0, 0x80, run.position
    end = min(position + MAX_GROUPS, run.end)
    while group & 0x80:
        if not 0 <= position < end:
            run.position = -1
            return 0
        group = int(content[position])
        value = min(value, HUGE >> 7) << 7 | (group & 0x7F)
        position += 1
    run.position = position
    return min(value, HUGE)
