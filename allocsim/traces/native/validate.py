"""Whether the bytes of events are events: what the driver must never see.

Below `store`, which reads bytes that anybody may have written. The driver indexes by an event's
object and shifts by its alignment, so it takes neither on trust. Its one rule: a chunk is looked at
as a whole, in one kernel, before anyone else sees it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.events import MAX_OBJECTS, MAX_THREADS, Op
from allocsim.text import MAX_SIZE
from allocsim.traces.object_ids import MAX_ALIGNMENT

_LARGEST_SHIFT = MAX_ALIGNMENT.bit_length() - 1


class Bounds(NamedTuple):
    """The numbers that a stream's events stay below."""

    objects: int = MAX_OBJECTS
    threads: int = MAX_THREADS


def first_unsound(events: Any, bounds: Bounds) -> int | None:
    """The position of the first row that is no event within the bounds; None if all are."""
    if _unsound_rows(events, bounds) == 0:
        return None
    for position in range(len(events)):
        if _unsound_rows(events[position : position + 1], bounds):
            return position
    return None


@kernel
def _unsound_rows(events: np.recarray, bounds: Bounds) -> int:
    """How many rows are no events, or notes, as `events` describes them.

    Without a branch or an early end: 1.9 ns a row, where a chain of conditions takes 4.
    """
    unsound = 0
    for position in range(len(events)):
        event = events[position]
        op, alignment = event.op, event.alignment
        is_note = op > Op.FREE
        is_sound = (
            (op <= Op.RELEASE)
            & (event.request >= 0)
            & (event.request <= MAX_SIZE)
            & ((event.request == 0) | (op < Op.FREE) | (op == Op.RELEASE))
            & ((event.object < bounds.objects) | is_note)
            & ((event.thread < bounds.threads) | is_note)
            & ((event.object == 0) | (op <= Op.FREE))
            & (alignment <= _LARGEST_SHIFT)
            & ((alignment == 0) | (op == Op.MEMALIGN))
        )
        unsound += not is_sound
    return unsound


def wrong_with(event: Any, bounds: Bounds) -> str:
    """What is wrong with a row that is not sound: what was found and what was expected."""
    if event.op > Op.RELEASE:
        return f"operation {event.op}, expected 0 to {int(Op.RELEASE)}"
    name = Op(int(event.op)).name.lower()
    checks = (
        (event.op <= Op.FREE and event.object >= bounds.objects,
         f"object {event.object}, expected a number below {bounds.objects:,}"),
        (event.op <= Op.FREE and event.thread >= bounds.threads,
         f"thread {event.thread}, expected a number below {bounds.threads:,}"),
        (event.alignment > (_LARGEST_SHIFT if event.op == Op.MEMALIGN else 0),
         f"an alignment of 2**{event.alignment} bytes, expected "
         f"{f'at most 2**{_LARGEST_SHIFT}' if event.op == Op.MEMALIGN else 'none'}"),
        (not 0 <= event.request <= MAX_SIZE,
         f"{event.request:,} bytes, expected 0 to {MAX_SIZE:,}"),
    )  # fmt: skip
    found = next((text for wrong, text in checks if wrong), "bytes or an object, expected none")
    return f"a {name} with {found}"
