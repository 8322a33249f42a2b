"""The results of a sweep as a table: a line for each subject, a column for each workload.

A subject is an allocator with its settings. A column is a workload with the conditions of its
replays (see `Column`). The table is made from the rows of a sweep's file, each of which is the
result of one measurement. If a measurement has several rows, the last one counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from allocsim.sweep.row import Row, Speed

Figures = dict[str, float]
"""A figure for each subject, by the subject's name."""


class Result(NamedTuple):
    """The figures of a subject on a workload."""

    peak: int | None = None
    """Peak footprint in bytes."""
    ns: float | None = None
    """Median CPU time in ns/event."""
    range_ns: tuple[float, float] | None = None
    """Interquartile range of the CPU times. None if there is a single run."""
    memory_failure: str | None = None
    times_failure: str | None = None
    mean: int | None = None
    """Mean footprint over all events in bytes; None for a library."""
    end: int | None = None
    """Footprint at the end in bytes."""

    @property
    def failure(self) -> str | None:
        """The reason why the memory or the times could not be measured. None if neither failed."""
        failures = dict.fromkeys(filter(None, (self.memory_failure, self.times_failure)))
        return "; ".join(failures) or None

    @property
    def sizes(self) -> tuple[int | None, int | None, int | None]:
        """The footprint at the peak, on average and at the end, in bytes."""
        return self.peak, self.mean, self.end

    def with_row(self, row: Row) -> Result:
        """Return these figures, updated from a newer row of the same subject and workload."""
        if row.measure == "times":
            return self._replace(times_failure=row.failure, **_times(row.times))
        peak = mean = end = None
        if row.memory is not None:
            peak, mean, end = row.memory.peak, row.memory.mean, row.memory.end
        return self._replace(memory_failure=row.failure, peak=peak, mean=mean, end=end)


def _times(times: Speed | None) -> dict[str, Any]:
    """Return the fields of a Result that describe times.

    The range contains the median, even if the row is damaged.
    """
    if times is None:
        return {"ns": None, "range_ns": None}
    ends = min(times.low, times.ns), max(times.high, times.ns)
    return {"ns": times.ns, "range_ns": ends if times.runs > 1 else None}


@dataclass
class Column:
    """A workload, and the conditions of its replays: `touch` and `replay` (see `Row`)."""

    workload: str
    seed: int | None
    touch: str
    replay: str
    events: int
    label: str = ""
    """The workload, and the conditions that distinguish the column from others."""
    peak_live: int = 0
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def peaks(self) -> Figures:
        """The peak footprints of the subjects that have one."""
        peaks = {name: float(each.peak or 0) for name, each in self.results.items()}
        return {name: peak for name, peak in peaks.items() if peak > 0}

    @property
    def times(self) -> Figures:
        """The times of the subjects that have one, in ns/event."""
        return {name: each.ns for name, each in self.results.items() if each.ns}

    @property
    def time_ranges(self) -> dict[str, tuple[float, float]]:
        """The ranges of the times of the subjects with several runs, in ns/event."""
        return {
            name: each.range_ns for name, each in self.results.items() if each.ns and each.range_ns
        }

    @property
    def means(self) -> Figures:
        """The mean footprints of the subjects that have one."""
        return {name: float(each.mean) for name, each in self.results.items() if each.mean}

    @property
    def ends(self) -> Figures:
        """The footprints at the end, of the subjects that have a peak footprint."""
        return {name: float(self.results[name].end or 0) for name in self.peaks}

    @property
    def failures(self) -> dict[str, str]:
        """The failures of subjects."""
        return {name: each.failure for name, each in self.results.items() if each.failure}


class Subject(NamedTuple):
    """A subject's allocator and its settings."""

    allocator: str
    settings: dict[str, str]


class Measured(NamedTuple):
    """A figure of a subject on a workload."""

    column: int
    """Index of the column."""
    settings: dict[str, str]
    value: float


@dataclass
class Results:
    """The results of a sweep."""

    columns: list[Column] = field(default_factory=list)
    subjects: dict[str, Subject] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    """Machines that measured times."""
    lines: dict[str, str] = field(default_factory=dict)
    """For each subject, the environment variables for its settings, as text. `paste.line_of` adds
    the text of a subject when a report first needs it."""

    @cached_property
    def setting_counts(self) -> dict[str, int]:
        """The number of settings of each subject."""
        return {name: len(subject.settings) for name, subject in self.subjects.items()}

    @cached_property
    def measured(self) -> dict[tuple[str, str], list[Measured]]:
        """The peaks and the times of each allocator, by ("peaks" or "times", allocator)."""
        result: dict[tuple[str, str], list[Measured]] = {}
        for index, column in enumerate(self.columns):
            for figure, values in (("peaks", column.peaks), ("times", column.times)):
                for name, value in values.items():
                    subject = self.subjects[name]
                    entry = Measured(index, subject.settings, value)
                    result.setdefault((figure, subject.allocator), []).append(entry)
        return result


def collect(rows: Iterable[Row]) -> Results:
    """Combine rows into a table."""
    results = Results()
    columns: dict[tuple[str, ...], Column] = {}
    for row in rows:
        results.subjects.setdefault(row.subject, Subject(row.allocator, row.settings))
        key = (row.trace, row.touch, row.replay)
        if key not in columns:
            columns[key] = Column(row.workload, row.seed, row.touch, row.replay, row.events)
        column = columns[key]
        column.results[row.subject] = column.results.get(row.subject, Result()).with_row(row)
        if row.memory:
            column.peak_live = max(column.peak_live, row.memory.peak_live)
        if row.times:
            results.hosts.add(row.host)
    results.columns = list(columns.values())
    _label(results.columns)
    return results


def _label(columns: list[Column]) -> None:
    """Name each column after its workload, and after conditions that distinguish it from others."""
    touches = {column.touch for column in columns}
    replays = {column.replay for column in columns}
    seeds = Counter((column.workload, column.touch, column.replay) for column in columns)
    for column in columns:
        words = [column.workload]
        if seeds[column.workload, column.touch, column.replay] > 1:
            words.append(f"seed {column.seed}")
        words += [f"touch {column.touch}"] if len(touches) > 1 else []
        words += [f"threads {column.replay}"] if len(replays) > 1 else []
        column.label = " ".join(words)


def complete(results: Results, figure: str) -> Iterator[tuple[str, list[float]]]:
    """Yield each subject that has a figure in every column, and its figures.

    `figure` is "peaks" or "times".
    """
    columns: list[Figures] = [getattr(column, figure) for column in results.columns]
    for name in results.subjects:
        if columns and all(name in column for column in columns):
            yield name, [column[name] for column in columns]
