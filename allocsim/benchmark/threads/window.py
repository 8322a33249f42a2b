"""The choice of the window: how many events may be played in any order between the threads.

At the end of a window, the live objects are those of the recording. Within it, a thread may run
ahead of the others, so more may be live than ever was. The larger the window, the less often the
threads meet, which costs a few microseconds, but the more the live bytes may stray.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.records import Int64, Struct, Table
from allocsim.events import MAX_THREADS, Event, Op

WINDOWS = tuple(1 << exponent for exponent in range(8, 21))
"""The windows to choose from, in events. With fewer events, waiting would dominate the time."""

MAX_STRAY = 0.05
"""Share by which the live bytes in a window may exceed the recorded peak."""


class Window(NamedTuple):
    """A window, and how far live bytes may stray in it."""

    events: int
    stray: float
    """Maximum excess of the live bytes over the recorded peak, relative to that peak."""


class Ahead(Struct):
    """A thread within a window."""

    net: Int64  # bytes that it has allocated in the window, less what it has freed
    top: Int64  # maximum of `net`
    window: Int64  # the number of the window, counted from 1


def choose_window(events: Table[Event], objects: int) -> Window:
    """Return the largest window with at most MAX_STRAY, or the smallest if all of them stray more.

    `objects` is the number of object ids.
    """
    chosen = None
    for window in WINDOWS:
        tables = table(np.int64, objects), table(Ahead, MAX_THREADS)
        recorded, highest = highest_live(events, *tables, window)
        found = Window(window, highest / recorded - 1 if recorded else 0.0)
        if chosen is not None and found.stray > MAX_STRAY:
            break
        chosen = found
        if window >= len(events):
            break
    assert chosen is not None
    return chosen


@kernel
def highest_live(
    events: Table[Event], requests: np.ndarray, threads: Table[Ahead], window: int
) -> tuple[int, int]:
    """Return the recorded peak of live bytes, and the highest that any order in windows allows.

    The tables are zero: bytes by object, and a row for each thread. The bound is reached if every
    thread is at its own maximum at the same time.
    """
    live, recorded, highest, calls, number, bound = 0, 0, 0, 0, 1, 0
    for index in range(len(events)):
        event = events[index]
        if event.op > Op.FREE:
            continue
        if calls == window:
            calls, number, bound = 0, number + 1, live
        calls += 1
        change = event.request - requests[event.object]
        requests[event.object] = event.request
        live += change
        recorded = max(recorded, live)
        thread = threads[event.thread]
        if thread.window != number:
            thread.window, thread.net, thread.top = number, 0, 0
        thread.net += change
        if thread.net > thread.top:
            bound += thread.net - thread.top
            thread.top = thread.net
        highest = max(highest, bound)
    return recorded, highest
