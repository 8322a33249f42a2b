"""Time of events: points of a curve, few enough for the header of a trace."""

from __future__ import annotations


class TimeTable:
    """Pairs of an event's position and its time in ns since the program's first call.

    When the table is full, every second point is removed, and from then on only every second one is
    added. So the points stay evenly spaced without knowing the length of the trace.
    """

    MAX_POINTS = 1 << 10
    MAX_TEXT = 40 * MAX_POINTS
    """Maximum bytes of the points as JSON text."""

    def __init__(self) -> None:
        self.points: list[tuple[int, int]] = []
        self._offered = 0
        self._every = 1

    def add(self, event: int, time: int) -> None:
        """Add the time in ns before an event."""
        if self._offered % self._every == 0:
            self.points.append((event, time))
        self._offered += 1
        if len(self.points) == self.MAX_POINTS:
            del self.points[1::2]
            self._every *= 2
