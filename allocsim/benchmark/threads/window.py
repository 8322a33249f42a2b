"""The choice of the window: the number of events within which the threads run freely.

At the end of a window, the same objects are live as in the recording. Within it, a thread may run
ahead of the others, so the live bytes may exceed the recorded peak (they *stray*). In a larger
window they may stray further. In a smaller window, the threads wait for each other more often. Each
wait costs a few microseconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.records import Int64, Struct, Table
from allocsim.events import MAX_THREADS, Event, Op

WINDOWS = tuple(1 << exponent for exponent in range(8, 21))
"""The windows to choose from, in events. In smaller ones, waiting would dominate the time."""

MAX_STRAY = 0.05
"""Maximum share by which the live bytes in a window may exceed the recorded peak."""


class Window(NamedTuple):
    """A window, and how far live bytes may stray in it."""

    events: int
    stray: float
    """Upper bound for the excess of live bytes over the recorded peak, as a share of that peak."""


class Ahead(Struct):
    """A thread's live bytes within a window."""

    net: Int64  # bytes that it has allocated in the window, less what it has freed
    top: Int64  # maximum of `net`
    window: Int64  # the number of the window, counted from 1


def choose_window(events: Table[Event], objects: int) -> Window:
    """Return the largest window whose `stray` is at most MAX_STRAY, or else the smallest window.

    The search ends at the first window whose `stray` is larger, or that holds all events. `objects`
    is the number of object ids.
    """
    chosen = None
    for window in WINDOWS:
        tables = table(np.int64, objects), table(Ahead, MAX_THREADS)
        recorded, highest = highest_live(events, *tables, window)
        candidate = Window(window, highest / recorded - 1 if recorded else 0.0)
        if chosen is not None and candidate.stray > MAX_STRAY:
            break
        chosen = candidate
        if window >= len(events):
            break
    assert chosen is not None
    return chosen


@kernel
def highest_live(
    events: Table[Event], requests: np.ndarray, threads: Table[Ahead], window: int
) -> tuple[int, int]:
    """Return the recorded peak of live bytes, and an upper bound for their peak in a replay.

    In the replay, the threads run freely within windows of `window` events. The bound is reached if
    all threads are at their maxima at the same time. `requests` and `threads` are working tables
    that the caller has filled with zeros; `requests` gets the bytes of each live object.
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
