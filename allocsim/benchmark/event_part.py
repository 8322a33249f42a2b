"""Copy part of an event file: the events of some objects, and the notes of all thread ends.

Each note (see `events.Op`) keeps its place among the events. A replay creates only the threads that
have an event in the part.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from allocsim.benchmark.event_file import EventFile, append, map_events, new_file, seal
from allocsim.core.available_memory import available_memory
from allocsim.errors import EnvironmentLacks
from allocsim.events import EVENT, Op
from allocsim.text import counted

BLOCK = 1 << 20
"""Number of rows that are copied at a time."""


def part_of(
    whole: EventFile, remains: np.ndarray, available: Callable[[], int] = available_memory
) -> EventFile:
    """Return a new file with a part of an event file.

    `remains` says of each of the first len(remains) events whether it is in the part; later events
    are not. Raises EnvironmentLacks if the part would take more than half of the available memory.
    """
    count = int(np.count_nonzero(remains))
    # For each event: the number of events before it that are in the part.
    before = np.concatenate([[0], np.cumsum(remains)])
    rows = whole.rows(len(remains))
    notes = [int(before[event]) for event in whole.notes[: rows - len(remains)]]
    if (count + len(notes)) * EVENT.itemsize > available() // 2:
        raise EnvironmentLacks(
            f"{counted(count, 'event')} of an experiment need more than half of the available "
            "memory"
        )
    descriptor = new_file()
    try:
        _copy(whole.descriptor, rows, remains, descriptor)
        seal(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    times = [(int(before[min(event, len(remains))]), time) for event, time in whole.times]
    return replace(whole, descriptor=descriptor, events=count, times=times, notes=notes, first=None)


def _copy(source: int, rows: int, remains: np.ndarray, target: int) -> None:
    """Copy the events that remain, and all notes of thread ends, from the first `rows` rows."""
    events = map_events(source, rows)
    keep = events.op > Op.FREE
    keep[~keep] = remains
    for begin in range(0, rows, BLOCK):
        block = slice(begin, begin + BLOCK)
        append(target, events[block][keep[block]])
