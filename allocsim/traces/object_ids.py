"""Object ids: find the object that a recorded address refers to, and turn calls into events.

A call (see `calls`) has an address, and an event (see `allocsim.events`) has an object id. The
calls of all readers pass through here, so the same rules hold for every format. An address refers
to the object that is live there. The ids of freed objects are reused, so memory is bounded by the
number of objects live at the same time. The rules:

    NULL returned, whatever the size     failed call; no event
    free of NULL                         no event
    free of an address that is not live  dropped: allocated before the recording began
    malloc at an address that is live    overlap: the recording lost the free, so one is inserted
    realloc of NULL                      malloc
    realloc to 0 bytes that gives NULL   free
    realloc of an address not live       malloc of the new size: the old object is unknown
    impossible size or alignment         dropped
    call of another process              dropped: a heap belongs to one process

Dropped and repaired calls are counted by reason.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import grown, records
from allocsim.events import MAX_THREADS, Event, Op
from allocsim.quantities import MAX_SIZE
from allocsim.traces.calls import MOVE, TOUCHED, CallRecord, Halt
from allocsim.traces.hash_table import (
    Entry,
    capacity_of,
    find_place,
    find_slot,
    insert,
    insert_all,
    new_hash_table,
    remove,
)
from allocsim.traces.reasons import Reason

MAX_ALIGNMENT = 1 << 30
"""Maximum alignment in bytes. A call with a larger one is dropped (`Reason.IMPOSSIBLE`)."""

MAX_PROCESSES = 1 << 8
"""Maximum number of other processes whose dropped calls are counted separately."""


class ImportState(Struct):
    """Counters of an import, and its current thread and process."""

    live: Int64  # entries in the table of objects
    ids: Int64  # object ids in use or spare
    spare: Int64  # ids on the stack of spare ids
    threads: Int64  # threads that have made an event
    thread: Int64  # recorded thread id of the last call; the next call often has the same
    thread_number: Int64  # number of `thread`; -1 before the first call
    process: Int64  # process whose calls become events; -1: the process of the first call
    processes: Int64  # entries in the table of other processes
    events: Int64  # events written to the current output
    allocating: Int64  # number of these events that allocate
    halt: Int64  # a Halt: why `assign_ids` stopped


class ObjectIds(NamedTuple):
    """State of an import. Thread and process ids are stored plus 1, as key 0 marks a free slot."""

    state: Table[ImportState]  # one row
    objects: Table[Entry]  # hash table: address -> object id
    threads: Table[Entry]  # hash table: recorded thread id + 1 -> thread number
    processes: Table[Entry]  # hash table: process id + 1 -> number of its dropped calls
    spare: np.ndarray  # int64: stack of object ids to reuse
    dropped: np.ndarray  # int64 by Reason
    sites: np.ndarray  # uint32: sites of the output's allocating events; empty: not requested


def new_object_ids(slots: int = 1 << 12, process: int | None = None, sites: int = 0) -> ObjectIds:
    """Return the state before the first call of `process`, with room for slots / 2 live objects.

    `sites` is the maximum number of events of an output if call sites are requested, else 0.
    """
    state = records(ImportState)
    state[0].thread_number = -1
    state[0].process = -1 if process is None else process
    return ObjectIds(
        state,
        new_hash_table(slots),
        new_hash_table(2 * MAX_THREADS),
        new_hash_table(2 * MAX_PROCESSES),
        np.zeros(slots, np.int64),
        np.zeros(len(Reason), np.int64),
        np.zeros(sites, np.uint32),
    )


def with_more_slots(ids: ObjectIds) -> ObjectIds:
    """Return the same state with room for twice as many live objects."""
    slots = 2 * capacity_of(ids.objects)
    larger = ids._replace(objects=new_hash_table(slots), spare=grown(ids.spare, slots))
    insert_all(larger.objects, ids.objects)
    return larger


@kernel
def assign_ids(ids: ObjectIds, calls: Table[CallRecord], start: int, events: Table[Event]) -> int:
    """Turn calls[start:] into events; return the position of the first call not processed.

    Sets `state.events` to the number of events written and `state.halt` to the reason for stopping.
    If sites are requested, stores those of the allocating events at the start of `ids.sites`. The
    loop stops when there is room for only one event, because a call can become two events.
    """
    state = ids.state[0]
    state.events = state.allocating = 0
    state.halt = Halt.NONE
    position = start
    while position < len(calls):
        call = calls[position]
        if 2 * (state.live + 1) > capacity_of(ids.objects):
            state.halt = Halt.TABLE_FULL
            break
        if state.events + 2 > len(events):
            state.halt = Halt.OUTPUT_FULL
            break
        if state.process < 0:
            state.process = call.process
        if call.process != state.process:
            _count_other_process(ids, call.process)
        elif call.op == Op.FREE:
            _free(ids, call.address, call.thread, events)
        elif call.op == Op.THREAD_DONE:
            _thread_done(ids, call.thread, events)
        elif call.op == MOVE:
            _move(ids, call)
        elif call.op == TOUCHED:
            _touched(ids, call, events)
        elif call.op == Op.REALLOC and call.old != 0 and call.address == call.request == 0:
            _free(ids, call.old, call.thread, events)
        elif call.address == 0:
            ids.dropped[Reason.FAILED] += 1
        elif call.request > MAX_SIZE or call.alignment > MAX_ALIGNMENT:
            ids.dropped[Reason.IMPOSSIBLE] += 1
        elif call.op == Op.REALLOC and call.old != 0:
            _realloc(ids, call, events)
        else:
            _allocate(ids, call, Op.MALLOC if call.op == Op.REALLOC else call.op, events)
        if state.halt != Halt.NONE:
            break
        position += 1
    return position


@kernel
def _allocate(ids: ObjectIds, call: CallRecord, op: int, events: Table[Event]) -> None:
    """Create an object at the call's address."""
    state = ids.state[0]
    slot = _free_place(ids, call, events)
    if state.spare:
        state.spare -= 1
        number = ids.spare[state.spare]
    else:
        number = state.ids
        state.ids += 1
    ids.objects[slot].key = call.address
    ids.objects[slot].number = number
    state.live += 1
    event = _new_event(ids, op, number, call.thread, events)
    event.request = call.request
    shift = 0  # log2 of the alignment, rounded up, because a recording may contain any number
    while 1 << shift < call.alignment:
        shift += 1
    event.alignment = shift
    _append_site(ids, call)


@kernel
def _free(ids: ObjectIds, address: int, thread: int, events: Table[Event]) -> None:
    """Free the object at `address`; if no object is live there, count the call as dropped."""
    state = ids.state[0]
    if address == 0:
        ids.dropped[Reason.FREE_OF_NULL] += 1
        return
    number = remove(ids.objects, address)
    if number < 0:
        ids.dropped[Reason.UNKNOWN_FREE] += 1
        return
    state.live -= 1
    ids.spare[state.spare] = number
    state.spare += 1
    _new_event(ids, Op.FREE, number, thread, events)


@kernel
def _realloc(ids: ObjectIds, call: CallRecord, events: Table[Event]) -> None:
    """Resize the object that moves from call.old to call.address; if it is unknown, allocate it."""
    number = remove(ids.objects, call.old)
    if number < 0:
        ids.dropped[Reason.UNKNOWN_REALLOC] += 1
        _allocate(ids, call, Op.MALLOC, events)
        return
    ids.state[0].live -= 1
    slot = _free_place(ids, call, events)
    ids.objects[slot].key = call.address
    ids.objects[slot].number = number
    ids.state[0].live += 1
    _new_event(ids, Op.REALLOC, number, call.thread, events).request = call.request
    _append_site(ids, call)


@kernel
def _append_site(ids: ObjectIds, call: CallRecord) -> None:
    """Append the site of a call that allocates, if sites are requested."""
    if len(ids.sites):
        ids.sites[ids.state[0].allocating] = call.site
        ids.state[0].allocating += 1


@kernel
def _move(ids: ObjectIds, call: CallRecord) -> None:
    """Change the address of the object at call.old, if one is live there, to call.address."""
    number = remove(ids.objects, call.old)
    # In a damaged recording, another object may be at call.address. The moved object then stays
    # live, because it has no address by which a later call could free it.
    if number >= 0 and find_slot(ids.objects, call.address) < 0:
        insert(ids.objects, call.address, number)


@kernel
def _touched(ids: ObjectIds, call: CallRecord, events: Table[Event]) -> None:
    """Append a TOUCHED event for the object at call.address, if one is live there."""
    slot = find_slot(ids.objects, call.address)
    if slot >= 0:
        number = ids.objects[slot].number
        _new_event(ids, TOUCHED, number, call.thread, events).request = call.request


@kernel
def _free_place(ids: ObjectIds, call: CallRecord, events: Table[Event]) -> int:
    """Return an empty slot for the call's address; an object that is live there is freed first."""
    slot = find_place(ids.objects, call.address)
    if ids.objects[slot].key != 0:
        ids.dropped[Reason.OVERLAP] += 1  # the recording lost the free of this object
        _free(ids, call.address, call.thread, events)
        slot = find_place(ids.objects, call.address)
    return slot


@kernel
def _count_other_process(ids: ObjectIds, process: int) -> None:
    """Count a dropped call of another process."""
    ids.dropped[Reason.OTHER_PROCESS] += 1
    slot = find_slot(ids.processes, process + 1)
    if slot >= 0:
        ids.processes[slot].number += 1
    elif ids.state[0].processes < MAX_PROCESSES:
        ids.state[0].processes += 1
        insert(ids.processes, process + 1, 1)


@kernel
def _thread_done(ids: ObjectIds, thread: int, events: Table[Event]) -> None:
    """Append the event that ends a thread, if the thread has made an event before."""
    if find_slot(ids.threads, thread + 1) >= 0:
        _new_event(ids, Op.THREAD_DONE, 0, thread, events)


@kernel
def _new_event(ids: ObjectIds, op: int, number: int, thread: int, events: Table[Event]) -> Event:
    """Append an event with request and alignment 0."""
    state = ids.state[0]
    if thread != state.thread or state.thread_number < 0:
        _find_thread(ids, thread)
    event = events[state.events]
    state.events += 1
    event.request = 0
    event.object = number
    event.thread = state.thread_number
    event.op = op
    event.alignment = 0
    return event


@kernel
def _find_thread(ids: ObjectIds, thread: int) -> None:
    """Store the number of `thread` in the state; a new thread gets the next number."""
    state = ids.state[0]
    slot = find_slot(ids.threads, thread + 1)
    if slot >= 0:
        state.thread_number = ids.threads[slot].number
    elif state.threads == MAX_THREADS:
        state.halt = Halt.TOO_MANY_THREADS
        state.thread_number = 0
    else:
        state.thread_number = state.threads
        state.threads += 1
        insert(ids.threads, thread + 1, state.thread_number)
    state.thread = thread
