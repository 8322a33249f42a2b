"""Time table: the times of some events, for the header of a trace.

An event has no field for its time (see `allocsim.events`), and the header has room for the times of
only a few events.
"""

from __future__ import annotations


class TimeTable:
    """A table of points: an event's position in the trace, and its time in ns since the first call.

    When the table is full, every second point is removed, and from then on only half as many of the
    offered points are added. In this way the points stay evenly spaced, although the length of the
    trace is not known in advance.
    """

    MAX_POINTS = 1 << 10
    MAX_TEXT = 40 * MAX_POINTS
    """Maximum bytes of the points as JSON text."""

    def __init__(self) -> None:
        self.points: list[tuple[int, int]] = []
        self._offered = 0
        self._every = 1

    def add(self, event: int, time: int) -> None:
        """Offer a point: the time in ns just before an event."""
        if self._offered % self._every == 0:
            self.points.append((event, time))
        self._offered += 1
        if len(self.points) == self.MAX_POINTS:
            del self.points[1::2]
            self._every *= 2
