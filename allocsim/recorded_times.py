"""Times of the events of a recording. Only some recordings have times.

`allocsim record` stores at most 1,024 points in the description of a trace (see
`traces.preload.time_table`). A point is a pair (n, t): t is the time, in ns, of the row that
follows the first n rows of the trace. Rows are events and notes; `Trace.times` has the same points,
but counts events only. A time between two points is interpolated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from allocsim.errors import InputError
from allocsim.recorded_pairs import recorded_pairs

NONE = "the recording has no times; `allocsim record --with preload` records times"


def recorded_times(description: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return the points of a trace, in order: (number of rows, ns since the first call).

    `description` is that of the trace. Returns [] if there are no points, if the points are not
    valid, or if the trace is a part of a recording.
    """
    points = recorded_pairs(description, "times") or []
    in_order = all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(points))
    return points if in_order else []


def event_at_time(points: Sequence[tuple[int, int]], seconds: float) -> int:
    """Return the number of events before a time, in seconds since the first call.

    `points` are those of `Trace.times`. Raises InputError if `points` is empty, or if the time
    is after the last point.
    """
    if not points:
        raise InputError(NONE)
    if seconds * 1e9 > points[-1][1]:
        last = points[-1][1] / 1e9
        raise InputError(f"{seconds:g} s is after the last time in the recording, {last:g} s")
    events, times = zip(*points, strict=True)
    return int(np.interp(seconds * 1e9, times, events))
