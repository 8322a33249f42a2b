"""The table of a comparison: columns, ratios to the reference, and the best of each column.

The reports on the screen and in Markdown, CSV and JSON render this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Memory, Row, Times
from allocsim.errors import UnknownName
from allocsim.libraries.find import PREFIX
from allocsim.reports.peak_range import range_text
from allocsim.reports.ranking import PEAK_NOISE, fastest, ranks_peaks
from allocsim.text import format_bytes


@dataclass(frozen=True)
class Column:
    """A column of the table: a figure that each row may have. Smaller is better."""

    key: str
    """The name of the column in --sort and in the CSV."""
    title: str
    of: Callable[[Row], float | None]
    format: Callable[[float], str]
    has_best: bool = True
    """Whether the best figure of the column is marked. Spread has no mark. Percentiles have no mark
    because they come from a single replay."""


@dataclass(frozen=True)
class Compared:
    """A comparison, and the options of its report."""

    comparison: Comparison
    requested: str
    """The subject that the relative columns refer to, unless it failed."""
    sort: str | None
    """The key or title of a column; None for the order in which the user named the subjects."""
    command: str

    def rows(self) -> list[Row]:
        """Return the rows sorted by `sort`; rows without a figure in that column come last."""
        if self.sort is None:
            return self.comparison.rows
        column = column_of(self.sort)
        return sorted(self.comparison.rows, key=lambda row: _or_infinity(column.of(row)))

    @property
    def reference(self) -> str | None:
        """The subject that ratios refer to, or None if every subject failed.

        This is the requested subject or, if that failed, the first subject that did not fail.
        """
        healthy = [row.subject for row in self.comparison.rows if row.failure is None]
        return self.requested if self.requested in healthy else next(iter(healthy), None)

    def reference_row(self) -> Row | None:
        """Return the row of the reference, or None if every subject failed."""
        matching = (row for row in self.comparison.rows if row.subject == self.reference)
        return next(matching, None)


def _of_memory(figure: Callable[[Memory], float | None]) -> Callable[[Row], float | None]:
    """Return a function that gives a memory figure of a row, or None if the row lacks it."""
    return lambda row: figure(row.memory) if row.memory else None


def _of_times(figure: Callable[[Times], float | None]) -> Callable[[Row], float | None]:
    """Return a function that gives a time figure of a row, or None if the row lacks it."""
    return lambda row: figure(row.times) if row.times else None


def _ratio(value: float) -> str:
    """Format a ratio: "1.42"."""
    return f"{value:.2f}"


def _ns(value: float) -> str:
    """Format nanoseconds: "8.3"."""
    return f"{value:.1f}"


FOOTPRINT = Column("footprint", "peak", _of_memory(lambda memory: memory.peak), format_bytes)
TIME = Column("ns", "ns/event", _of_times(lambda times: times.ns), _ns)
RESIDENT = Column(
    "resident", "resident", _of_memory(lambda memory: memory.resident_peak), format_bytes
)
COMMITTED = Column(
    "committed", "committed", _of_memory(lambda memory: memory.committed), format_bytes
)
AFTER_FREE = Column("kept", "after free", _of_memory(lambda memory: memory.kept), format_bytes)
OVERHEAD = Column("overhead", "overhead", _of_memory(lambda memory: memory.overhead), _ratio)

X_LIVE = Column("x-live", "x live", _of_memory(lambda memory: memory.x_live), _ratio)

PEAKS = (FOOTPRINT, X_LIVE, RESIDENT)
"""The columns with peaks. Peaks of a program whose threads come and go are not ranked unless it was
recorded several times."""

COLUMNS = (
    FOOTPRINT,
    X_LIVE,
    Column("end", "end", _of_memory(lambda memory: memory.end), format_bytes),
    AFTER_FREE,
    Column("kept-later", "+1 s", _of_memory(lambda memory: memory.kept_later), format_bytes),
    TIME,
    Column("spread", "spread", _of_times(lambda times: times.spread), lambda x: f"{x:.1%}", False),
    RESIDENT,
    COMMITTED,
    Column("p50", "p50", _of_times(lambda times: times.p50), _ns, False),
    Column("p99", "p99", _of_times(lambda times: times.p99), _ns, False),
    Column("p99.9", "p99.9", _of_times(lambda times: times.p999), _ns, False),
    Column("faults", "faults", _of_memory(lambda memory: memory.faults), lambda x: f"{x:,.0f}"),
    Column(
        "seconds",
        "replay s",
        _of_memory(lambda memory: memory.seconds),
        lambda x: f"{x:.2f}",
        False,
    ),
)
"""The columns of the table. On a narrow terminal, columns are dropped from the right."""

ALL_COLUMNS = (*COLUMNS, OVERHEAD)
"""The columns that --sort accepts and the CSV contains. The table has no column `overhead`, because
readers would confuse it with `x live`, the ratio of two peaks."""

RELATED = {FOOTPRINT.key, TIME.key}
"""Keys of the columns that are followed by a column with the ratio to the reference."""

MEANINGS = {
    "peak": "peak footprint (design: heap - released + metadata; library: growth of anonymous RSS)",
    "rel.": "relative to the reference",
    "x live": "peak footprint / peak live",
    "resident": "maximum growth of anonymous RSS, also for designs",
    "end": "footprint after the last event",
    "committed": "obtained from the OS and not released, after the last event (library: by its "
    "counters)",
    "after free": "footprint once everything is freed",
    "+1 s": "footprint one second after everything was freed, and after some more calls of malloc "
    "and free",
    "spread": "(slowest - fastest run) / median",
    "p50, p99, p99.9": "ns/event in batches of 64",
    "faults": "page faults",
    "replay s": "duration of the replay that measures memory, in seconds",
    "*": "best in column",
}
"""Explanations of the column titles."""


def column_of(key: str) -> Column:
    """Return the column with this key or title; raise UnknownName if no column has it."""
    for column in ALL_COLUMNS:
        if key in (column.key, column.title):
            return column
    raise UnknownName("column", key, [column.key for column in ALL_COLUMNS])


@dataclass(frozen=True)
class Cell:
    """A figure as text."""

    text: str
    is_best: bool = False


def titles() -> list[str]:
    """Return the titles of all columns except the first, which names the subject."""
    heads = []
    for column in COLUMNS:
        heads += [column.title, "rel."] if column.key in RELATED else [column.title]
    return heads


def cells(compared: Compared) -> Mapping[str, Sequence[Cell]]:
    """Return the cells of each subject that has figures, in the order of `titles`."""
    rows = [row for row in compared.rows() if row.memory or row.times]
    by_subject: dict[str, list[Cell]] = {row.subject: [] for row in rows}
    rankable = compared.comparison.rows_with_peaks
    for column in COLUMNS:
        is_ranked = column not in PEAKS or ranks_peaks(compared.comparison)
        best, base = _best_of(column, rankable) if is_ranked else None, compared.reference_row()
        reference = column.of(base) if base else None
        for row in rows:
            value = column.of(row)
            text = "-" if value is None else column.format(value)
            if column is FOOTPRINT and row.memory:
                text = range_text(row)
            is_best = value is not None and value == best and row in rankable
            by_subject[row.subject].append(Cell(text, is_best))
            if column.key in RELATED:
                by_subject[row.subject].append(Cell(_relative(value, reference)))
    return by_subject


def _best_of(column: Column, rows: Sequence[Row]) -> float | None:
    """Return the best figure of a column, or None if no row can be called the best.

    The fastest row has the best time only if its runs overlap those of no other row. In any other
    column, the lowest figure is the best only if the second lowest exceeds it by more than the
    share PEAK_NOISE.
    """
    if column is TIME:
        first, overlapping = fastest(rows)
        return TIME.of(first) if first and not overlapping else None
    known = sorted(value for value in map(column.of, rows) if value is not None)
    if not column.has_best or len(known) < 2 or known[1] <= known[0] * (1 + PEAK_NOISE):
        return None
    return known[0]


def label(row: Row) -> str:
    """Return a subject's name for the table; a library given by a path gets its file name."""
    name = row.subject
    return f"{PREFIX}{Path(name).name}" if name.startswith(PREFIX) and "/" in name else name


def _relative(value: float | None, reference: float | None) -> str:
    """Format the ratio of a value to the reference's, or "-" if either is missing."""
    return _ratio(value / reference) if value is not None and reference else "-"


def _or_infinity(value: float | None) -> float:
    """Return a sort key that puts missing figures last."""
    return float("inf") if value is None else value
