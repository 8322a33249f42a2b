"""Subsets of a trace: a slice, or a random sample of the objects. A subset is a valid trace.

A slice is a range of the calls, without the calls of objects that were allocated before the range.
An object that is freed after the slice is live at the end of the slice. A slice from the beginning
of the trace therefore ends with the same live objects as the program at that point. A sample has
either all calls of an object or none. Whether an object is in a sample depends only on the random
seed and on the number of objects that were allocated before the object.

Object ids and threads are renumbered densely, in order of appearance. A sentence in `Trace.notes`
gives the number of calls that a slice leaves out. `Trace.dropped` does not count them, because it
counts only calls that an import dropped. The events keep their call sites.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from allocsim.call_sites.numbers import CallSites
from allocsim.call_sites.passing import PassedSites
from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import grown, records
from allocsim.events import MAX_THREADS, Event, Op, Trace, no_events
from allocsim.text import reasons_text

NO_END = 1 << 62
"""The value of `last` for a slice that extends to the end of the stream. No stream has this many
events."""

BORN_BEFORE = "born before the cut"
"""Reason for dropping the calls of an object that was allocated before the slice."""

ALL = 1 << 31
"""The value of `keep` that selects all objects; ALL // 2 selects half of them."""


@dataclass(frozen=True)
class Choice:
    """The rule that decides which events a subset contains."""

    first: int = 0
    """Number of calls before the slice."""
    last: int = NO_END
    """Number of calls before the end of the slice, counted from the start of the trace. NO_END if
    the slice ends with the trace."""
    keep: int = ALL
    """Share of the objects to keep, in units of 1 / ALL."""
    seed: int = 0
    """Random seed of the sample."""


class SubsetState(Struct):
    """Parameters and counters of a subset."""

    first: Int64  # this field and the next three: as in Choice
    last: Int64
    keep: Int64
    seed: Int64
    calls: Int64  # calls of the whole trace so far
    allocations: Int64  # objects allocated in the slice so far
    born_before: Int64  # calls dropped because their object was allocated before the slice
    written: Int64  # calls and notes (see `events.Op`) in the current output
    ids: Int64  # number of object ids that the subset has used so far, spare ids included
    spare: Int64  # number of spare ids, on the stack Tables.spare
    threads: Int64  # threads of the subset so far
    freezes: Int64  # FREEZE notes dropped, because they are valid for the whole trace only


class Tables(NamedTuple):
    """State of a subset. `ids` and `threads` are indexed by the numbers of the whole trace."""

    state: Table[SubsetState]  # one row
    ids: np.ndarray  # int64: object id in the subset + 1, 0 if none, or LEFT_OUT
    spare: np.ndarray  # int64: stack of object ids to reuse
    threads: np.ndarray  # int64: thread number in the subset + 1, or 0 if none
    origins: np.ndarray  # int64, for each output event: its position in the input chunk


LEFT_OUT = -1
"""The entry in Tables.ids for an object that is in the slice but not in the sample."""


def subset_of(trace: Trace, choice: Choice) -> Trace:
    """Return the chosen subset of `trace`; reading the subset consumes `trace`."""
    source = trace.description.get("source", trace.description)
    subset = Trace(
        name=trace.name,
        chunks=iter(()),
        description=trace.description | {"source": source | {"piece": _described(choice)}},
        seed=trace.seed,
        notes=trace.notes,
        losses=trace.losses,
        capabilities=trace.capabilities,
        progress=trace.progress,
        resource=trace,
        sites=None if trace.sites is None else CallSites(),
    )
    subset.chunks = _selected(trace, choice, subset)
    return subset


def _described(choice: Choice) -> dict[str, Any]:
    """Return the choice as reports show it, without default values."""
    if choice.keep < ALL:
        return {"keep": round(choice.keep / ALL, 9), "seed": choice.seed}
    return {"from": choice.first} | ({} if choice.last == NO_END else {"to": choice.last})


def _selected(whole: Trace, choice: Choice, subset: Trace) -> Iterator[Any]:
    """Yield the events of the subset, then add sentences on the events that it leaves out."""
    tables, sites = _new_tables(choice), PassedSites(whole.sites, subset.sites)
    state = tables.state[0]
    with closing(whole):
        for chunk in whole.chunks:
            sites.begin(chunk)
            position, out = 0, no_events(len(chunk))
            tables = _with_room_for_output(tables, len(chunk))
            while position < len(chunk) and state.calls < state.last:
                position = select(tables, chunk, position, out)
                if state.written:
                    sites.keep(out[: state.written], tables.origins)
                    yield out[: state.written]
                if position < len(chunk) and state.calls < state.last:
                    tables = _with_room_for(tables, int(chunk[position].object))
            # A trace of unknown length is read to its end, because only then are its counts of
            # dropped calls and its table of sites complete.
            if state.calls >= state.last and whole.length is not None:
                break
    sites.end()
    _note(subset, "dropped by the cut", {BORN_BEFORE: int(state.born_before)})
    if state.freezes:
        subset.notes.append(
            "the sample does not freeze the heap: a freeze is valid only for the whole trace"
        )
    _note(subset, "dropped or repaired in the whole trace", whole.dropped)


def _note(subset: Trace, title: str, counts: dict[str, int]) -> None:
    """Add a sentence that lists `counts` by reason, unless all are 0."""
    if any(counts.values()):
        subset.notes.append(f"{title}: {reasons_text(counts)}")


def _new_tables(choice: Choice, objects: int = 1 << 12) -> Tables:
    """Return the state before the first event."""
    state = records(SubsetState)
    state[0].keep, state[0].seed = choice.keep, choice.seed
    state[0].first, state[0].last = choice.first, choice.last
    zeros = (np.zeros(count, np.int64) for count in (objects, objects, MAX_THREADS))
    ids, spare, threads = zeros
    return Tables(state, ids, spare, threads, np.zeros(0, np.int64))


def _with_room_for(tables: Tables, number: int) -> Tables:
    """Return the same state with room for the object with id `number` in the whole trace."""
    ids, spare = grown(tables.ids, number + 1), grown(tables.spare, number + 1)
    return tables._replace(ids=ids, spare=spare)


def _with_room_for_output(tables: Tables, count: int) -> Tables:
    """Return the same state with room for the origins of `count` events."""
    if count <= len(tables.origins):
        return tables
    return tables._replace(origins=np.zeros(count, np.int64))


@kernel
def select(tables: Tables, events: Table[Event], start: int, out: Table[Event]) -> int:
    """Copy the selected events among events[start:] to `out`.

    Stops at the end of the slice, and at the first object id beyond the table. Returns the position
    of the first event that was not processed.
    """
    state = tables.state[0]
    state.written = 0
    position = start
    while position < len(events) and state.calls < state.last:
        event = events[position]
        is_call = event.op <= Op.FREE
        if is_call and event.object >= len(tables.ids):
            break
        if state.calls >= state.first:
            written = state.written
            if is_call:
                state.allocations += event.op < Op.REALLOC
                _select_call(tables, state, event, out)
            else:
                _select_note(tables, state, event, out)
            if written < state.written:
                tables.origins[written] = position
        state.calls += is_call
        position += 1
    return position


@kernel
def _select_call(tables: Tables, state: SubsetState, event: Event, out: Table[Event]) -> None:
    """Copy a call if its object is in the subset.

    The call that allocates an object decides whether the object is in the subset.
    """
    number = tables.ids[event.object] - 1
    if number < 0:
        if event.op >= Op.REALLOC:
            state.born_before += tables.ids[event.object] == 0
            if event.op == Op.FREE:
                tables.ids[event.object] = 0
            return
        if random_share(state.allocations, state.seed) >= state.keep:
            tables.ids[event.object] = LEFT_OUT
            return
        if state.spare:
            state.spare -= 1
            number = tables.spare[state.spare]
        else:
            number = state.ids
            state.ids += 1
        tables.ids[event.object] = number + 1
    elif event.op == Op.FREE:
        tables.ids[event.object] = 0
        tables.spare[state.spare] = number
        state.spare += 1
    if not tables.threads[event.thread]:
        state.threads += 1
        tables.threads[event.thread] = state.threads
    _write(tables, state, event, out, number)


@kernel
def _select_note(tables: Tables, state: SubsetState, event: Event, out: Table[Event]) -> None:
    """Copy a note if it is valid for the subset too.

    A FREEZE depends on the size of the whole heap. Any other note belongs to a thread, and is valid
    if the subset has a call of this thread.
    """
    if event.op == Op.FREEZE:
        if state.keep < ALL:
            state.freezes += 1
        else:
            _write(tables, state, event, out, 0)
    elif tables.threads[event.thread]:
        _write(tables, state, event, out, 0)


@kernel
def _write(
    tables: Tables, state: SubsetState, event: Event, out: Table[Event], number: int
) -> None:
    """Append a copy of an event with the object id `number`."""
    copy = out[state.written]
    state.written += 1
    copy.request = event.request
    copy.object = number
    # A FREEZE note gets thread 0 if its thread has no call in the subset so far.
    copy.thread = max(tables.threads[event.thread] - 1, 0)
    copy.op = event.op
    copy.alignment = event.alignment


@kernel
def random_share(allocation: int, seed: int) -> int:
    """Return a pseudo-random number from 0 to ALL - 1 for allocation number `allocation`."""
    mixed = _mix(seed & (ALL - 1)) ^ _mix((seed >> 31) + 1)
    return _mix(_mix(mixed ^ (allocation & (ALL - 1))) ^ (allocation >> 31))


@kernel
def _mix(bits: int) -> int:
    """Mix the bits of a 31-bit number. The function is a permutation; no product reaches 2**63."""
    bits ^= bits >> 16
    bits = bits * 0x5851F42D & 0x7FFFFFFF
    bits ^= bits >> 15
    bits = bits * 0x2545F491 & 0x7FFFFFFF
    return bits ^ bits >> 16
