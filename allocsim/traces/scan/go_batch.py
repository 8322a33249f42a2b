"""Decoding of a batch of a Go execution trace (see `readers.go_trace`).

An event consists of its type (one byte) and its arguments, which are LEB128 numbers. The first
argument is the time since the previous event.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table

MAX_BATCH = 1 << 16
"""Maximum bytes of a batch."""

FIRST_ALLOC_FREE = 128
"""Lowest type of an event of the experiment AllocFree. Events of lower types are skipped."""


class GoEvent(Struct):
    """An event about a span or an object."""

    time: Int64
    kind: Int64  # the event's type
    first: Int64  # the event's first argument after the time
    second: Int64
    third: Int64


@kernel
def number_at(text: np.ndarray, position: int) -> tuple[int, int]:
    """Return the number at `position`, and the position after the number.

    Returns (0, -1) if the number is cut off or too long.
    """
    value, shift = 0, 0
    while position < len(text) and shift < 70:
        byte = int(text[position])
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    return 0, -1


@kernel
def decode_batch(
    text: np.ndarray, time: int, arguments: np.ndarray, events: Table[GoEvent]
) -> tuple[int, int]:
    """Decode the events of a batch that begins at `time`; store those of AllocFree in `events`.

    `arguments` has the number of arguments of each type of event, including the time, or 0 for an
    unknown type. Returns the number of stored events, and the position of the first invalid event
    or, if all events are valid, the length of `text`.
    """
    position, stored = 0, 0
    while position < len(text):
        begin, kind = position, int(text[position])
        count = int(arguments[kind])
        if count == 0:
            return stored, begin
        position += 1
        event = events[stored]
        event.kind = kind
        for number in range(count):
            value, position = number_at(text, position)
            if position < 0:
                return stored, begin
            if number == 0:
                time += value
                event.time = time
            elif kind < FIRST_ALLOC_FREE:
                continue  # not needed, and perhaps too large for an Int64
            elif number == 1:
                event.first = value
            elif number == 2:
                event.second = value
            else:
                event.third = value
        stored += kind >= FIRST_ALLOC_FREE
    return stored, position
