"""History of a trace: its live bytes over time, and the allocations of each call site."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from allocsim.call_sites.frame import Frame
from allocsim.call_sites.numbers import LAST_ALLOCATING
from allocsim.call_sites.table import SiteTable
from allocsim.core.tables import grown
from allocsim.events import Trace
from allocsim.trace_stats import StatsCollector, TraceStats

MAX_POINTS = 256
"""Maximum number of points of a timeline. A long trace has at least half as many points."""

CALLERS = 2
"""Maximum number of `callers` of a SiteTotal."""


class Point(NamedTuple):
    """A point of the timeline. The field names are JSON keys."""

    event: int
    """Number of calls up to this point."""
    live_objects: int
    live_bytes: int


class SiteTotal(NamedTuple):
    """The calls that allocate at one line of the program, summed over all stacks."""

    frame: Frame
    """The innermost frame of these stacks that does not belong to the allocator or the language
    runtime (see `call_sites.own_frame`), or UNKNOWN."""
    callers: list[Frame]
    """Callers of this frame, in the stack that allocates the most bytes."""
    calls: int
    """Calls that allocate or resize."""
    bytes: int
    """Bytes that these calls request."""


@dataclass(frozen=True)
class History:
    """Timeline and totals."""

    timeline: list[Point] = field(default_factory=list)
    sites: list[SiteTotal] = field(default_factory=list)
    """The total of each line, the most bytes first, or [] if the trace has no call sites."""


def collect_history(trace: Trace) -> tuple[TraceStats, History]:
    """Return statistics and history of a whole trace, which is consumed and closed."""
    collector, timeline, totals = StatsCollector(), _Timeline(), _Totals()
    with closing(trace):
        for chunk in trace.chunks:
            if trace.sites is not None:
                totals.add(chunk, trace.sites.of(chunk))
            for part in timeline.parts(chunk):
                collector.add(part)
                timeline.end_part(collector)
    sites = [] if trace.sites is None else totals.by_line(trace.sites.table)
    return collector.stats(), History(timeline.complete(collector), sites)


class _Timeline:
    """Points at equal distances in events. At MAX_POINTS points, the distance doubles."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._every = self._left = 1

    def parts(self, chunk: Any) -> Iterator[Any]:
        """Yield the chunk in parts that end at the points of the timeline."""
        start = 0
        while start < len(chunk):
            part = chunk[start : start + self._left]
            start += len(part)
            self._left -= len(part)
            yield part

    def end_part(self, collector: StatsCollector) -> None:
        """Add a point if the part ended where a point is due."""
        if self._left == 0:
            # Notes (see `events.Op`) do not count as events, so a part that has only notes ends at
            # the same number of events as the last point. The new point replaces the last one.
            if self._points and self._points[-1].event == collector.events:
                self._points.pop()
            self._points.append(Point(collector.events, *collector.live))
            if len(self._points) == MAX_POINTS:
                del self._points[::2]
                self._every *= 2
            self._left = self._every

    def complete(self, collector: StatsCollector) -> list[Point]:
        """Return the points, the last of which is at the end of the trace."""
        end = Point(collector.events, *collector.live)
        return [*(point for point in self._points if point.event < end.event), end]


class _Totals:
    """Calls and bytes by site number."""

    def __init__(self) -> None:
        self._calls = np.zeros(1 << 10, np.int64)
        self._bytes = np.zeros(1 << 10, np.int64)

    def add(self, events: Any, sites: Any) -> None:
        """Add events; `sites` has the site number of each."""
        allocates = events.op <= LAST_ALLOCATING
        numbers = sites[allocates]
        highest = int(numbers.max(initial=0))
        if highest >= len(self._calls):
            self._calls = grown(self._calls, highest + 1)
            self._bytes = grown(self._bytes, len(self._calls))
        np.add.at(self._calls, numbers, 1)
        np.add.at(self._bytes, numbers, events.request[allocates])

    def by_line(self, table: SiteTable) -> list[SiteTotal]:
        """Return a total for each line that allocates or resizes."""
        frames = table.groups.frames
        group = table.groups_of(np.arange(len(self._calls)))
        calls, size, largest = (np.zeros(len(frames), np.int64) for _ in range(3))
        np.add.at(calls, group, self._calls)
        np.add.at(size, group, self._bytes)
        order = np.argsort(self._bytes, kind="stable")
        largest[group[order]] = order  # for each group, the site with the most bytes
        totals = [
            SiteTotal(
                frames[line], table.own_stack(int(largest[line]))[1 : 1 + CALLERS],
                int(calls[line]), int(size[line]),
            )
            for line in np.flatnonzero(calls).tolist()
        ]  # fmt: skip
        return sorted(totals, key=lambda total: (-total.bytes, -total.calls, total.frame))
