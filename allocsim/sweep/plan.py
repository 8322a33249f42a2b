"""The plan of a sweep: its cells, in the order in which they run.

A cell measures one subject (an allocator with its settings) on one workload.

The cells that measure memory run first, workload by workload. Then the cells that measure times
run, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from allocsim.benchmark.subject import library_of
from allocsim.heap import RESERVE
from allocsim.sweep.cell import Cell
from allocsim.sweep.grid import Subjects
from allocsim.sweep.workload import Workload

MEMORY, TIMES = "memory", "times"
"""The two kinds of measurement that a cell can make."""


@dataclass(frozen=True)
class Settings:
    """Settings of all cells of a sweep."""

    limit: int | None = None
    reserve: int = RESERVE
    timeout: float = 600.0
    runs: int = 5
    warmup: int = 1
    replay: str = "recorded"
    """"recorded": events are replayed on their recorded threads; "one": all are on one thread."""
    keep_settings: bool = False


@dataclass(frozen=True)
class Plan:
    """The grid of a sweep."""

    workloads: Sequence[Workload]
    subjects: Subjects
    touches: Sequence[str] = ("page",)
    timed: bool = False
    settings: Settings = Settings()

    def __len__(self) -> int:
        """Return the number of cells."""
        return self.count(MEMORY) + self.count(TIMES)

    def count(self, measure: str) -> int:
        """Return the number of cells that measure "memory" or "times"."""
        return sum(len(self.touches) * self._count(each, measure) for each in self.workloads)

    def cells(self, measure: str, sharers: int = 1) -> Iterator[Cell]:
        """Yield the cells that measure "memory" or "times".

        `sharers` is the number of cells that run at once.
        """
        for workload in self.workloads:
            for touch in self.touches:
                for subject in self.subjects:
                    if self._has(workload, subject, measure):
                        yield self.cell(workload, subject, measure, touch, sharers)

    def cell(
        self, workload: Workload, subject: str, measure: str, touch: str, sharers: int = 1
    ) -> Cell:
        """Return a cell."""
        settings, events = self.settings, workload.events
        return Cell(
            workload=workload.name,
            trace=workload.trace,
            events=events.events,
            threads=events.threads,
            recorded=events.recorded,
            seed=workload.seed,
            subject=subject,
            measure=measure,
            touch=touch,
            replay=settings.replay,
            limit=settings.limit,
            reserve=settings.reserve,
            timeout=settings.timeout,
            runs=settings.runs,
            warmup=settings.warmup,
            sharers=sharers,
            keep_settings=settings.keep_settings,
        )

    def _has(self, workload: Workload, subject: str, measure: str) -> bool:
        """Return whether a cell is in the plan. A design is not timed on several threads."""
        if measure == MEMORY:
            return True
        return self.timed and not (workload.events.recorded and library_of(subject) is None)

    def _count(self, workload: Workload, measure: str) -> int:
        """Return the number of subjects that are measured on a workload."""
        return sum(
            len(Subjects({name: axes}))
            for name, axes in self.subjects.axes.items()
            if self._has(workload, name, measure)
        )
