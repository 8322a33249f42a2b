"""The figures of a subject (a design or a malloc library): memory, times, and why any are missing.

The child process and the reports write these records as JSON. The names of the fields are therefore
keys of the public format. A figure that could not be measured is None, never 0.
"""

from __future__ import annotations

from statistics import median
from typing import Annotated, TypeAlias

import msgspec

from allocsim.program_run import RealRuns
from allocsim.spread import middle, spread

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]
"""An integer in a message of a child. The range is limited because a library in the child can forge
messages; a larger integer makes the message invalid."""


class Memory(msgspec.Struct, kw_only=True):
    """The memory of one replay in a fresh process, in bytes unless a field says otherwise."""

    peak: Count
    """Peak footprint. For a design, it is the maximum of heap - released + metadata. For a library,
    it is the maximum growth of the process's anonymous RSS: the highest reading or, since schema 3,
    the kernel's own peak if that is higher."""
    peak_event: Count
    """Number of events up to the peak. If `peak` is from the kernel, number of events up to the
    highest reading."""
    live_at_peak: Count
    end: Count
    """Footprint after the last event."""
    live_at_end: Count
    peak_live: Count
    """Maximum of the live bytes."""
    resident_peak: Count
    """Peak growth of the process's anonymous RSS, measured for designs too."""
    resident_end: Count
    committed: Count | None = None
    """Bytes obtained from the OS and not released, after the last event. They are computed from
    `counters`; for a design without counters, they are heap - released + metadata. None if a
    library does not count them."""
    first_live: Count = 0
    """Peak of the live bytes, counting at most 4 KiB of each object."""
    lowest: Count | None = None
    """For a library: its peak in a replay with `--touch first`. None if this peak cannot be much
    lower than `peak`, or if the recording says what the program touched."""
    seconds: float = 0.0
    """Wall time of the replay."""
    has_virtual_clock: bool = False
    """Whether the library read the time from a virtual clock (see `libraries.virtual_clock`)."""
    started: Count
    """Growth of anonymous RSS before the first event: the library's startup state."""
    high_water: Count | None
    """Growth of the kernel's own peak RSS (VmHWM), file pages included: a cross-check."""
    faults: Count
    """Minor page faults from the first event to the last."""
    kept: Count
    """Footprint right after everything is freed."""
    kept_later: Count
    """Footprint measured later than `kept`: after a delay of one second (see Conditions.later) and
    then 1,000 pairs of malloc and free. The pairs are needed because some libraries release memory
    after a delay, but only during a call."""
    counters: dict[str, int] = {}
    """Counters after the last event. A design computes the counters of the library it models."""

    @property
    def overhead(self) -> float | None:
        """footprint / live, both at the peak of the footprint. None if nothing was live then."""
        return self.peak / self.live_at_peak if self.live_at_peak else None

    @property
    def x_live(self) -> float | None:
        """Peak footprint / peak live, whose moments may differ. None if nothing was ever live."""
        return self.peak / self.peak_live if self.peak_live else None

    @property
    def fragmentation(self) -> float:
        """1 - live / footprint, at the peak of the footprint, or 0 if the footprint is 0."""
        return 1 - self.live_at_peak / self.peak if self.peak else 0.0


class Times(msgspec.Struct, kw_only=True):
    """The times of several replays, in a process that measures no memory.

    All are CPU times, user plus system. A replay on one thread is measured by the time of the
    process. A replay on recorded threads is measured by the sum of the times in which its
    threads replayed events (see `benchmark.threads`), and has no batches.
    """

    cold: float
    """ns/event of the first replay."""
    runs: Annotated[list[float], msgspec.Meta(min_length=1)]
    """ns/event of each run after the warm-up. A run is one replay, or the mean of several replays
    if the workload is short."""
    batch: Count
    """Number of consecutive events in a batch. The batches are timed in an extra replay."""
    p50: float | None
    """ns/event of the median batch. None if there is no full batch."""
    p99: float | None
    """99th percentile of the batches, in ns/event. None if `p50` is None."""
    p999: float | None
    """99.9th percentile of the batches, in ns/event. None if `p50` is None."""
    clock: float
    """Nanoseconds that reading the clock adds to each run and batch. Since schema 3 they are
    subtracted."""
    driver: float | None = None
    """The driver's share of a library's time, in ns/event: the time of a replay in which malloc and
    free do nothing and no object is written. `runs` includes this share. None for a design."""
    threads: Count = 1
    """Maximum number of threads that are alive at once."""
    window: Count | None = None
    """Number of events in a window. Within a window, the threads run freely. None on one thread."""
    stray: float | None = None
    """Upper bound for the excess of the live bytes over the recorded peak, as a share of that peak.
    Live bytes exceed the peak if a thread runs ahead of the others within a window."""

    @property
    def ns(self) -> float:
        """ns/event: the median of the runs."""
        return median(self.runs)

    @property
    def middle(self) -> tuple[float, float]:
        """The interquartile range of the runs."""
        return middle(self.runs)

    @property
    def spread(self) -> float | None:
        """(slowest - fastest) / median of the runs. None if there is only one run."""
        return spread(self.runs)


class About(msgspec.Struct, kw_only=True, frozen=True):
    """The identity of a library; every field is None for a design."""

    version: str | None = None
    path: str | None = None
    """The file that the dynamic linker loaded."""
    host: str | None = None
    """The library that served Python's own allocations in the process. None if glibc did."""
    start: Count | None = None
    """The address that determines where the library's heap starts (see `libraries.start`)."""
    flaw: str | None = None
    """A defect of the library that does not make the figures wrong (see `integrity.LOST`)."""


class Row(msgspec.Struct, kw_only=True):
    """A subject and its figures."""

    subject: str
    about: About = About()
    memory: Memory | None = None
    times: Times | None = None
    failure: str | None = None
    """The error that ended the measurement of the subject. None if no error occurred."""
    peaks: list[Count] = []
    """If the program was recorded several times: the peaks in the replays of these recordings, in
    ascending order. `memory` is then from the replay of one recording. That recording is the same
    in all rows."""
    real: RealRuns | None = None
    """Runs of the program itself with this library. None for a design, or if there are no runs."""
