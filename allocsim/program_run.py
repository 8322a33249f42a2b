"""Figures of a program's run, from the operating system. Reports compare replays with them.

While the program runs, its memory and threads are sampled at short intervals.

`allocsim record` stores a ProgramRun in the header of the trace. A slice or a sample of a trace has
no ProgramRun, because the figures are those of the whole run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import msgspec

from allocsim.text import counted, format_bytes, printable

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
"""A number in a file's header. It has a limit, because a file may contain any number."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class ProgramRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a program. Only `cpu_seconds` includes its child processes. Sizes are in bytes."""

    anonymous_peak: Count
    """Peak of the anonymous RSS, without the recorder's own memory. It is the higher of two
    figures: the highest sample; and the kernel's peak of the RSS (VmHWM) minus the largest amount
    of file pages in any sample."""
    outside_malloc: Count = 0
    """The part of the peak that is known not to come from malloc: stack, static data, and memory
    that the program mapped itself."""
    mapped: Count = 0
    """The part of `outside_malloc` that the program mapped itself, for example with mmap. Only the
    preload recorder sees it. The figure is too large if the program left mapped pages unwritten,
    because unwritten pages are not in the peak."""
    recorder_memory: Count = 0
    """Anonymous memory of the recorder, which was subtracted from `anonymous_peak`."""
    recorder: str | None = None
    """The recorder, which slows the run. None if the program ran without a recorder."""
    seconds: Seconds
    """Wall time."""
    cpu_seconds: Seconds
    """Processor time, including that of child processes that the program waited for."""
    threads: Count
    """Maximum number of threads in a sample."""
    cores: Count
    """Processors on which the program was allowed to run."""
    unsampled: Seconds = 0.0
    """Seconds from the last sample to the end of the run; 0 if the run was sampled to its end. If
    it is above 0, the true peak may be higher. Causes are that the sampler was stopped or got no
    processor, or that other threads outlived the main thread."""
    malloc: str | None = None
    """The library whose malloc the program used, or None if it is not known."""

    @property
    def malloc_peak(self) -> int:
        """The part of the peak that may come from malloc."""
        return max(self.anonymous_peak - self.outside_malloc, 0)

    @property
    def text(self) -> str:
        """The figures in one sentence without its full stop."""
        recorder = f"; {format_bytes(self.recorder_memory)} of {self.recorder} itself left out"
        served = f"; malloc of {Path(self.malloc).name}" if self.malloc else ""
        missed = f"; its last {self.unsampled:.2f} s were not sampled" if self.unsampled else ""
        times = f"{self.seconds:.2f} s" + (f" under {self.recorder}" if self.recorder else "")
        return printable(
            f"peak {format_bytes(self.anonymous_peak)} of anonymous memory "
            f"({format_bytes(self.outside_malloc)} not from malloc"
            f"{recorder if self.recorder_memory else ''}); {times}, "
            f"{self.cpu_seconds:.2f} s of CPU time; {counted(self.threads, 'thread')} at once, on "
            f"{counted(self.cores, 'core')}{served}{missed}"
        )


class RealRuns(msgspec.Struct, kw_only=True):
    """The runs of a program under one library, without a recorder."""

    runs: list[ProgramRun] = []
    failure: str | None = None
    """The reason why runs are missing. None if no run is missing."""

    def middle(self, figure: Callable[[ProgramRun], float]) -> float:
        """Return the median of a figure over all runs; there must be at least one run."""
        return median(map(figure, self.runs))

    def extent(self, figure: Callable[[ProgramRun], float]) -> tuple[float, float]:
        """Return the smallest and the largest value of a figure over all runs."""
        values = [*map(figure, self.runs)]
        return min(values), max(values)
