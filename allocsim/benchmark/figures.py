"""What is measured of a subject: its memory, its times, or why there is neither.

Above nothing but msgspec: a child process writes these records as JSON, its parent and the reports
read them. Bytes and nanoseconds, whole numbers where they can be. Its one rule: a figure that
could not be measured is None, never 0.
"""

from __future__ import annotations

from statistics import median, quantiles

import msgspec


class Memory(msgspec.Struct, kw_only=True):
    """One play in a fresh process, whose driver stopped now and then to read the memory."""

    peak: int
    """The footprint at its peak: a design's by definition; a library's resident growth."""
    peak_event: int
    """How many events were done then."""
    live_at_peak: int
    end: int
    """The footprint after the last event."""
    live_at_end: int
    peak_live: int
    """The most bytes that were live at once."""
    resident_peak: int
    """Resident growth at its peak, for designs too."""
    resident_end: int
    started: int
    """What of the resident growth was there before the first event: the library's start."""
    high_water: int | None
    """Growth of the process's peak as the kernel has noted it, files included: a cross-check."""
    faults: int
    """Page faults from the first event to the last."""
    kept: int
    """The footprint when everything had just been freed."""
    kept_later: int
    """The same a second later, after some small calls: libraries look at the clock in a call."""
    counters: dict[str, int] = {}
    """The library's own, or what a design says that they would be, after the last event."""

    @property
    def overhead(self) -> float | None:
        """footprint / live, both at the peak of the footprint; None if nothing was live then."""
        return self.peak / self.live_at_peak if self.live_at_peak else None

    @property
    def x_live(self) -> float | None:
        """Peak footprint / peak live, of two different moments; None if nothing was ever live."""
        return self.peak / self.peak_live if self.peak_live else None

    @property
    def fragmentation(self) -> float:
        """1 - live / footprint, both at the peak of the footprint."""
        return 1 - self.live_at_peak / self.peak if self.peak else 0.0


class Times(msgspec.Struct, kw_only=True):
    """Several plays in another fresh process, in which nothing else was measured."""

    cold: float
    """Nanoseconds an event of the first play."""
    runs: list[float]
    """Nanoseconds an event of each run that counts: one play, or the mean of several if short."""
    batch: int
    """Events in a batch."""
    p50: float | None
    """Nanoseconds an event in the median batch of one more play; None: no batch was full."""
    p99: float | None
    p999: float | None
    clock: float
    """Nanoseconds of each batch that are the clock's own, not taken off."""

    @property
    def ns(self) -> float:
        """Nanoseconds an event: the median of the runs."""
        return median(self.runs)

    @property
    def middle(self) -> tuple[float, float]:
        """Between which times the middle half of the runs lies."""
        if len(self.runs) < 2:
            return self.runs[0], self.runs[0]
        low, _, high = quantiles(self.runs, n=4, method="inclusive")
        return low, high

    @property
    def spread(self) -> float | None:
        """How far the runs lie apart: fastest to slowest, over the median; None of a single run."""
        if len(self.runs) < 2:
            return None
        return (max(self.runs) - min(self.runs)) / self.ns


class About(msgspec.Struct, kw_only=True, frozen=True):
    """What a library is; nothing of it for a design."""

    version: str | None = None
    path: str | None = None
    """The file that the linker loaded."""
    host: str | None = None
    """Which library served Python beside the subject, where that was not glibc."""


class Row(msgspec.Struct, kw_only=True):
    """A subject and all that was measured of it."""

    subject: str
    about: About = About()
    memory: Memory | None = None
    times: Times | None = None
    failure: str | None = None
    """Why a figure is missing: the first thing that went wrong."""
