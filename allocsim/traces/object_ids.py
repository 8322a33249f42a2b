"""From calls to events: which object a recorded address means, by one set of rules.

Above `calls`; below nothing: every reader's calls pass here. An address means the object that
lives there now, and numbers of dead objects are used again, so memory is bounded by the objects
that are live at once. The rules:

    NULL returned, whatever was asked   a failed call; nothing happens
    free of NULL                        nothing happens
    free of an address not live         dropped: allocated before the recording began
    malloc at an address that is live   overlap: the free was lost, so one is put before it
    realloc of NULL                     malloc
    realloc to 0 bytes giving NULL      free
    realloc of an address not live      malloc of the new size: the old one is unknown
    a size or alignment beyond any heap dropped
    a call by another process           left out: one process has one heap

Whatever is dropped or mended is counted under its reason.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.events import MOST_THREADS, Op
from allocsim.text import MAX_SIZE
from allocsim.traces.calls import Halt
from allocsim.traces.hash_table import empty_table, enter_all, insert, remove, slot_of, slots_of


class Reason(IntEnum):
    """Why a call did not become the event that it looks like."""

    FAILED = 0
    FREE_OF_NULL = 1
    UNKNOWN_FREE = 2
    OVERLAP = 3
    UNKNOWN_REALLOC = 4
    IMPOSSIBLE = 5
    OTHER_PROCESS = 6


REASONS = {
    Reason.FAILED: "failed call",
    Reason.FREE_OF_NULL: "free of NULL",
    Reason.UNKNOWN_FREE: "free of unknown",
    Reason.OVERLAP: "overlap",
    Reason.UNKNOWN_REALLOC: "realloc of unknown",
    Reason.IMPOSSIBLE: "impossible size",
    Reason.OTHER_PROCESS: "other process",
}
"""The reasons in the words of reports."""

COUNTS = np.dtype(
    [
        ("live", np.int64),  # entries in the table of objects
        ("numbers", np.int64),  # object numbers given out so far
        ("spare", np.int64),  # of those, numbers on the stack of spare ones
        ("threads", np.int64),  # threads seen
        ("thread", np.int64),  # the id of the last call's thread, which is mostly the next one's
        ("thread_number", np.int64),  # its number; -1 before the first
        ("process", np.int64),  # the one whose calls become events; -1: that of the first call
        ("processes", np.int64),  # other processes in their table
        ("events", np.int64),  # events written to the current output
        ("halt", np.int64),  # a Halt
    ],
    align=True,
)

LARGEST_ALIGNMENT = 1 << 30

MOST_PROCESSES = 1 << 8
"""Other processes whose calls are counted one by one; those of further ones only in all."""


class Identities(NamedTuple):
    """Which object lives where: the state of an import."""

    counts: np.recarray  # one COUNTS
    objects: np.recarray  # a table: address -> object number
    threads: np.recarray  # a table: thread id + 1 -> thread number
    processes: np.recarray  # a table: process id + 1 -> its calls, which were left out
    spare: np.ndarray  # int64, a stack of object numbers to use again
    dropped: np.ndarray  # int64 by Reason


def no_identities(slots: int = 1 << 12, process: int | None = None) -> Identities:
    """The state before the first call of `process`, with room for slots / 2 live objects."""
    counts = np.zeros(1, COUNTS).view(np.recarray)
    counts[0].thread_number = -1
    counts[0].process = -1 if process is None else process
    return Identities(
        counts,
        empty_table(slots),
        empty_table(2 * MOST_THREADS),
        empty_table(2 * MOST_PROCESSES),
        np.zeros(slots, np.int64),
        np.zeros(len(Reason), np.int64),
    )


def grown(known: Identities) -> Identities:
    """The same state with room for twice as many live objects."""
    larger = known._replace(
        objects=empty_table(2 * slots_of(known.objects)),
        spare=np.concatenate([known.spare, np.zeros_like(known.spare)]),
    )
    enter_all(larger.objects, known.objects)
    return larger


@kernel
def identify(known: Identities, calls: np.recarray, start: int, events: np.recarray) -> int:
    """Turn calls[start:] into events; the position of the first that is not done, and counts.halt.

    counts.events is how many were written; `events` has room for two for each call.
    """
    counts = known.counts[0]
    counts.events = 0
    counts.halt = Halt.NONE
    position = start
    while position < len(calls):
        call = calls[position]
        if 2 * (counts.live + 1) > slots_of(known.objects):
            counts.halt = Halt.ROOM
            break
        if counts.events + 2 > len(events):
            counts.halt = Halt.FULL
            break
        if counts.process < 0:
            counts.process = call.process
        if call.process != counts.process:
            _leave_out(known, call.process)
        elif call.op == Op.FREE:
            _free(known, call.address, call.thread, events)
        elif call.op == Op.THREAD_DONE:
            _thread_done(known, call.thread, events)
        elif call.op == Op.REALLOC and call.old != 0 and call.address == call.request == 0:
            _free(known, call.old, call.thread, events)
        elif call.address == 0:
            known.dropped[Reason.FAILED] += 1
        elif call.request > MAX_SIZE or call.alignment > LARGEST_ALIGNMENT:
            known.dropped[Reason.IMPOSSIBLE] += 1
        elif call.op == Op.REALLOC and call.old != 0:
            _realloc(known, call, events)
        else:
            _allocate(known, call, Op.MALLOC if call.op == Op.REALLOC else call.op, events)
        if counts.halt != Halt.NONE:
            break
        position += 1
    return position


@kernel
def _allocate(known: Identities, call: np.record, op: int, events: np.recarray) -> None:
    """A new object at the call's address."""
    counts = known.counts[0]
    _end_overlapped(known, call, events)
    if counts.spare:
        counts.spare -= 1
        number = known.spare[counts.spare]
    else:
        number = counts.numbers
        counts.numbers += 1
    insert(known.objects, call.address, number)
    counts.live += 1
    event = _event(known, op, number, call.thread, events)
    event.request = call.request
    shift = 0
    while 1 << shift < call.alignment:
        shift += 1
    event.alignment = shift


@kernel
def _free(known: Identities, address: int, thread: int, events: np.recarray) -> None:
    """The object at `address` ends."""
    counts = known.counts[0]
    if address == 0:
        known.dropped[Reason.FREE_OF_NULL] += 1
        return
    number = remove(known.objects, address)
    if number < 0:
        known.dropped[Reason.UNKNOWN_FREE] += 1
        return
    counts.live -= 1
    known.spare[counts.spare] = number
    counts.spare += 1
    _event(known, Op.FREE, number, thread, events)


@kernel
def _realloc(known: Identities, call: np.record, events: np.recarray) -> None:
    """The object at call.old moves to call.address, or begins there if it is unknown."""
    number = remove(known.objects, call.old)
    if number < 0:
        known.dropped[Reason.UNKNOWN_REALLOC] += 1
        _allocate(known, call, Op.MALLOC, events)
        return
    known.counts[0].live -= 1
    _end_overlapped(known, call, events)
    insert(known.objects, call.address, number)
    known.counts[0].live += 1
    _event(known, Op.REALLOC, number, call.thread, events).request = call.request


@kernel
def _end_overlapped(known: Identities, call: np.record, events: np.recarray) -> None:
    """If an object still lives at the call's address, its free was lost: free it now."""
    if slot_of(known.objects, call.address) >= 0:
        known.dropped[Reason.OVERLAP] += 1
        _free(known, call.address, call.thread, events)


@kernel
def _leave_out(known: Identities, process: int) -> None:
    """Count a call of another process."""
    known.dropped[Reason.OTHER_PROCESS] += 1
    slot = slot_of(known.processes, process + 1)
    if slot >= 0:
        known.processes[slot].number += 1
    elif known.counts[0].processes < MOST_PROCESSES:
        known.counts[0].processes += 1
        insert(known.processes, process + 1, 1)


@kernel
def _thread_done(known: Identities, thread: int, events: np.recarray) -> None:
    """Note the end of a thread that has done something."""
    if slot_of(known.threads, thread + 1) >= 0:
        _event(known, Op.THREAD_DONE, 0, thread, events)


@kernel
def _event(known: Identities, op: int, number: int, thread: int, events: np.recarray) -> np.record:
    """Write the next event, but for its request and alignment, which are 0."""
    counts = known.counts[0]
    if thread != counts.thread or counts.thread_number < 0:
        _find_thread(known, thread)
    event = events[counts.events]
    counts.events += 1
    event.request = 0
    event.object = number
    event.thread = counts.thread_number
    event.op = op
    event.alignment = 0
    return event


@kernel
def _find_thread(known: Identities, thread: int) -> None:
    """Make `thread` the last one seen, with the next number if it is new."""
    counts = known.counts[0]
    slot = slot_of(known.threads, thread + 1)
    if slot >= 0:
        counts.thread_number = known.threads[slot].number
    elif counts.threads == MOST_THREADS:
        counts.halt = Halt.THREADS
        counts.thread_number = 0
    else:
        counts.thread_number = counts.threads
        counts.threads += 1
        insert(known.threads, thread + 1, counts.thread_number)
    counts.thread = thread
