"""What is in a stream of events: calls, sizes, lifetimes, threads, and the peak of live bytes.

Above `events` and the kernels' decorator; trace files and the `trace` commands rest on it. One
kernel looks at each event once, and goes on where the stream is not sound: faults are counted, and
the callers decide what they mean. Its one rule: memory is bounded by the objects that are live at
once, not by the length of the stream.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Record
from allocsim.events import MAX_THREADS, Op

MOST_BYTES = 1 << 62
"""No count of bytes goes further: a stream that asks for more is not of this world."""

BINS = 64
"""Bins of a histogram by powers of two: 0, 1, 2, 3-4, 5-8, 9-16, and so on."""


class Fault(IntEnum):
    """What an event can say that cannot be."""

    BORN_TWICE = 0
    """It allocates an object that is live; taken as if a free before it had been lost."""
    FREED_DEAD = 1
    """It frees an object that is not live; nothing happens."""
    RESIZED_DEAD = 2
    """It resizes an object that is not live; taken as an allocation."""
    TOO_MUCH = 3
    """It would bring more bytes to life than any machine can hold; taken as 0 bytes."""


TALLY = np.dtype(
    [
        ("events", np.int64),  # calls so far; notes are none
        ("objects", np.int64),  # object numbers used: one more than the largest
        ("requested", np.int64),  # bytes asked for, by reallocations too
        ("live_objects", np.int64),
        ("live_bytes", np.int64),
        ("peak_live", np.int64),  # the most live bytes
        ("peak_event", np.int64),  # events done when they were first reached
        ("lifetimes", np.int64),  # sum over the objects that were freed, in events
        ("longest", np.int64),  # the longest of them
        ("frees_by_another", np.int64),  # by another thread than LIFE.thread
    ],
    align=True,
)

BIN = np.dtype([("count", np.int64), ("bytes", np.int64)])
"""A bin of a histogram."""

LIFE = np.dtype(
    [
        ("request", np.int64),  # bytes asked for last
        ("born", np.int64),  # the number of the event that allocated it, from 1; 0: not live
        ("thread", np.int64),  # who allocated or resized it last
    ]
)
"""What is known of an object."""

FAULTS = np.dtype([("count", np.int64), ("first", np.int64)])
"""How often a Fault was seen, and the number of the event where it was seen first."""


class Seen(NamedTuple):
    """What was seen of a stream."""

    tally: np.recarray  # one TALLY
    lives: np.recarray  # LIFE by object number
    operations: np.ndarray  # int64 by Op
    threads: np.ndarray  # uint8 by thread number: 1 if it has called
    sizes: np.recarray  # BIN by size: calls that ask for memory
    lifetimes: np.recarray  # BIN by lifetime: objects that were freed
    faults: np.recarray  # FAULTS by Fault


def nothing_seen(objects: int = 1 << 12) -> Seen:
    """The state before the first event."""
    return Seen(
        records(TALLY),
        records(LIFE, objects),
        np.zeros(len(Op), np.int64),
        np.zeros(MAX_THREADS, np.uint8),
        records(BIN, BINS),
        records(BIN, BINS),
        records(FAULTS, len(Fault)),
    )


def with_room_for(seen: Seen, number: int) -> Seen:
    """The same state with room for the object of that number."""
    lives = records(LIFE, 2 << number.bit_length())
    lives[: len(seen.lives)] = seen.lives
    return seen._replace(lives=lives)


def records(record: np.dtype[Any], count: int = 1) -> Any:
    """`count` records, all zero."""
    return np.zeros(count, record).view(np.recarray)


@kernel
def look(seen: Seen, events: np.recarray, start: int) -> int:
    """Look at events[start:]; the position of the first whose object is beyond the table."""
    tally = seen.tally[0]
    position = start
    while position < len(events):
        event = events[position]
        if event.op <= Op.FREE:
            if event.object >= len(seen.lives):
                break
            tally.events += 1
            tally.objects = max(tally.objects, int(event.object) + 1)
            seen.threads[event.thread] = 1
            if event.op == Op.FREE:
                _end(seen, tally, event)
            else:
                _give(seen, tally, event)
        seen.operations[event.op] += 1
        position += 1
    return position


@kernel
def _give(seen: Seen, tally: Record, event: Record) -> None:
    """The object of an allocation or reallocation has its bytes."""
    life = seen.lives[event.object]
    if (life.born != 0) != (event.op == Op.REALLOC):
        _fault(seen, Fault.BORN_TWICE if life.born else Fault.RESIZED_DEAD)
    if life.born:
        tally.live_bytes -= life.request
    else:
        tally.live_objects += 1
    if event.op != Op.REALLOC or not life.born:
        life.born = tally.events
    request = event.request
    if tally.live_bytes + request > MOST_BYTES:
        _fault(seen, Fault.TOO_MUCH)
        request = 0
    life.request = request
    life.thread = event.thread
    _count_request(seen, tally, request)


@kernel
def _count_request(seen: Seen, tally: Record, request: int) -> None:
    """Bytes were asked for, and are live."""
    tally.live_bytes += request
    if tally.live_bytes > tally.peak_live:
        tally.peak_live = tally.live_bytes
        tally.peak_event = tally.events
    counted = min(request, MOST_BYTES - tally.requested)
    tally.requested += counted
    size_bin = seen.sizes[bin_of(request)]
    size_bin.count += 1
    size_bin.bytes += counted


@kernel
def _end(seen: Seen, tally: Record, event: Record) -> None:
    """The object is freed."""
    life = seen.lives[event.object]
    if not life.born:
        _fault(seen, Fault.FREED_DEAD)
        return
    lifetime = tally.events - life.born
    tally.lifetimes += lifetime
    tally.longest = max(tally.longest, lifetime)
    tally.frees_by_another += life.thread != event.thread
    ended = seen.lifetimes[bin_of(lifetime)]
    ended.count += 1
    ended.bytes = min(ended.bytes + life.request, MOST_BYTES)
    tally.live_objects -= 1
    tally.live_bytes -= life.request
    life.born = 0


@kernel
def bin_of(value: int) -> int:
    """The bin of a number from 0 on: 0 for 0, 1 for 1, 2 for 2, 3 for 3 and 4, 4 for 5 to 8."""
    below, place = value - 1, 0
    if value == 0:
        return 0
    for shift in (32, 16, 8, 4, 2, 1):
        if below >> shift:
            below >>= shift
            place += shift
    return place + 1 + (below != 0)


@kernel
def _fault(seen: Seen, kind: int) -> None:
    """Count what cannot be."""
    fault = seen.faults[kind]
    fault.count += 1
    if fault.count == 1:
        fault.first = seen.tally[0].events


@kernel
def count_left(seen: Seen, left: np.recarray) -> None:
    """Add every object that is live to the BIN of its size."""
    for number in range(seen.tally[0].objects):
        life = seen.lives[number]
        if life.born:
            size_bin = left[bin_of(life.request)]
            size_bin.count += 1
            size_bin.bytes += life.request
