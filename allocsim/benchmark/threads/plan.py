"""The plan of a replay on threads: a stream of events for each thread, divided into turns.

The replay is a sequence of epochs, and a turn is the events of one thread in one epoch (see
`benchmark.threads`).

Object ids are reused, so two objects with the same id would make threads wait for each other. In a
stream, an event therefore has a slot in place of an id: the number of a row in a table of objects.
If only one thread uses an object, only that thread reuses its slot. The slot of a shared object is
reused only in a later epoch. The *version* of a shared object counts its allocation and its
reallocations so far: a call waits for the version that it needs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.benchmark.stepping import Step
from allocsim.benchmark.threads.records import SHARED, VERSIONS, Epoch, Turn
from allocsim.benchmark.threads.slots import Slots, free_slot, new_slots, take_slot
from allocsim.benchmark.threads.survey import Counts, Survey, new_numbers, number_of
from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.events import EVENT, Event, Op

NO_SLOT = -1
"""Slot of an object that is not live."""

ORDERED = 0
"""Value of `window` for ordered replay: an epoch has one turn, and events keep their order."""


class Cursor(Struct):
    """Totals of a plan, and the state of `fill_plan`."""

    epochs: Int64
    turns: Int64  # number of turns in use, plus 1, because turn 0 is unused
    window: Int64  # number of calls in an epoch, or ORDERED
    calls: Int64  # number of calls so far
    full: Int64  # 1: the next call begins an epoch
    until: Int64  # value of `calls` at which the epoch is full
    thread: Int64  # the thread of the last event
    step: Int64  # number of steps (see `stepping`) whose last call has been seen
    marked: Int64  # number of steps whose entry in `Plan.due` has been set
    alive: Int64  # number of threads alive at the epoch's beginning, plus those begun in it
    ended: Int64  # number of threads that end in this epoch
    at_once: Int64  # maximum of `alive`
    live: Int64  # live bytes
    peak_live: Int64  # maximum of `live`


class PlannedObject(Struct):
    """The object that has a given object id now. The table has a row for each id."""

    slot: Int64  # slot, with the bit SHARED if several threads use the object; NO_SLOT: not live
    request: Int64  # bytes requested; 0 if the object is not live
    version: Int64  # of a shared object: the version that its next call waits for
    life: Int64  # number of the object's life (see `survey`)


class ThreadProgress(Struct):
    """The state of a thread in `fill_plan`."""

    position: Int64  # index in the stream where its next event goes
    first: Int64  # its first turn
    turn: Int64  # its latest turn so far
    begin: Int64  # index in the stream where its events begin


class Plan(NamedTuple):
    """A plan. `fill_plan` has written to all rows in use, so their pages are in memory."""

    cursor: Table[Cursor]  # one row
    stream: Table[Event]
    turns: Table[Turn]
    epochs: Table[Epoch]
    threads: Table[ThreadProgress]
    due: np.ndarray  # int64, for each step: the epoch after which RSS is read
    slots: Slots
    objects: Table[PlannedObject]  # the state at the end of the plan


def make_plan(
    events: Table[Event], surveyed: Survey, objects: int, steps: Table[Step], window: int = ORDERED
) -> Plan:
    """Return the plan of surveyed events, and set the field `live` of each of the steps.

    `objects` is the number of object ids; `window` is the number of calls in an epoch. Only ordered
    replay has steps.
    """
    counts = surveyed.counts[0]
    bound = plan_bound(surveyed, len(steps), window)
    plan = Plan(
        cursor=records(Cursor),
        stream=table(EVENT, int(counts.calls)),
        turns=table(Turn, bound + 1),
        epochs=table(Epoch, bound + 1),
        threads=table(ThreadProgress, int(counts.threads)),
        due=table(np.int64, len(steps) + 1),
        slots=new_slots(int(counts.threads), int(counts.lives)),
        objects=table(PlannedObject, objects),
    )
    plan.objects.slot = NO_SLOT
    begins = np.cumsum(surveyed.calls[: counts.threads]) - surveyed.calls[: counts.threads]
    plan.threads.position = plan.threads.begin = begins
    plan.cursor[0].window, plan.cursor[0].turns = window, 1
    fill_plan(plan, events, new_numbers(), records(Counts), surveyed.shared, steps)
    return plan


def plan_bound(surveyed: Survey, steps: int, window: int) -> int:
    """Return an upper bound for the number of turns and for the number of epochs."""
    counts = surveyed.counts[0]
    windows = int(counts.calls) // window if window else 0
    ends = len(surveyed.calls)  # the end of each thread may need a turn
    wraps = int(counts.calls) >> 16  # a window also ends where a 16-bit version wraps
    return int(counts.switches) + steps + windows + wraps + ends + 2


@kernel
def fill_plan(
    plan: Plan,
    events: Table[Event],
    numbers: np.ndarray,
    counts: Table[Counts],
    shared: np.ndarray,
    steps: Table[Step],
) -> None:
    """Fill the tables that `make_plan` has created, and set the field `live` of each step."""
    cursor = plan.cursor[0]
    for index in range(len(events)):
        event = events[index]
        if event.op <= Op.FREE:
            thread = number_of(numbers, event.thread, counts[0])
            turn = _turn_of(plan, thread, True)
            _add_call(plan, turn, event, plan.objects[event.object], shared)
            if cursor.step < len(steps) and cursor.calls == steps[cursor.step].event:
                steps[cursor.step].live = cursor.live
                cursor.step += 1
                cursor.full = 1
        elif event.op == Op.THREAD_DONE and numbers[event.thread] != 0:
            turn = _turn_of(plan, numbers[event.thread] - 1, False)
            turn.ends = 1
            cursor.ended += 1
            numbers[event.thread] = 0
    _mark_steps(plan)
    plan.epochs[cursor.epochs].first = cursor.turns


@kernel
def _turn_of(plan: Plan, thread: int, is_call: bool) -> Turn:
    """Return the turn of a thread's next event; begin a new turn if necessary."""
    cursor, progress = plan.cursor[0], plan.threads[thread]
    is_ordered = cursor.window == ORDERED
    if cursor.epochs == 0 or (cursor.full and is_call) or (is_ordered and thread != cursor.thread):
        # If threads end right after the last call of a step, their ends belong to that step. The
        # step is therefore marked only when the next call begins an epoch.
        if is_call:
            _mark_steps(plan)
        _begin_epoch(plan)
    cursor.thread = thread
    if progress.turn == 0 or plan.turns[progress.turn].epoch != cursor.epochs - 1:
        _begin_turn(plan, thread, progress)
    return plan.turns[progress.turn]


@kernel
def _begin_epoch(plan: Plan) -> None:
    """Begin an epoch.

    Unless replay is ordered, the first epoch has a single call, so that the recording's first
    thread is also the first to call the library. glibc gives the main arena to the first caller.
    """
    cursor = plan.cursor[0]
    plan.epochs[cursor.epochs].first = cursor.turns
    cursor.full = 0
    cursor.until = cursor.calls + (cursor.window if cursor.epochs else 1)
    cursor.epochs += 1
    cursor.alive -= cursor.ended
    cursor.ended = 0


@kernel
def _begin_turn(plan: Plan, thread: int, progress: ThreadProgress) -> None:
    """Begin a turn of a thread in the current epoch."""
    cursor = plan.cursor[0]
    turn = plan.turns[cursor.turns]
    turn.thread, turn.epoch, turn.end = thread, cursor.epochs - 1, progress.position
    if progress.turn:
        plan.turns[progress.turn].next = cursor.turns
    else:
        progress.first = cursor.turns
        cursor.alive += 1
        cursor.at_once = max(cursor.at_once, cursor.alive)
    progress.turn = cursor.turns
    cursor.turns += 1


@kernel
def _mark_steps(plan: Plan) -> None:
    """Store the current epoch in `due` for each finished step that has no entry there yet."""
    cursor = plan.cursor[0]
    while cursor.marked < cursor.step:
        plan.due[cursor.marked] = cursor.epochs - 1
        cursor.marked += 1


@kernel
def _add_call(
    plan: Plan, turn: Turn, event: Event, target: PlannedObject, shared: np.ndarray
) -> None:
    """Add a call to its thread's stream and turn."""
    cursor, progress = plan.cursor[0], plan.threads[turn.thread]
    copy = plan.stream[progress.position]
    progress.position += 1
    turn.end = progress.position
    if event.op < Op.REALLOC:
        target.life = plan.slots.counts[0].lives
        target.slot = take_slot(plan.slots, turn.thread, turn.epoch, shared[target.life])
        target.version = 0
    copy.request, copy.op, copy.alignment = event.request, event.op, event.alignment
    copy.object, copy.thread = target.slot, 0
    if target.slot >= SHARED:
        copy.thread = target.version & VERSIONS
        target.version += 1
        # Versions are compared modulo 65,536, so a window ends before a version repeats.
        if cursor.window and target.version & VERSIONS == 0:
            cursor.full = 1
    if event.op == Op.FREE:
        free_slot(plan.slots, turn.thread, turn.epoch, target.slot)
        target.slot = NO_SLOT
    cursor.live += event.request - target.request
    target.request = event.request
    cursor.peak_live = max(cursor.peak_live, cursor.live)
    cursor.calls += 1
    if cursor.window and cursor.calls == cursor.until:
        cursor.full = 1
