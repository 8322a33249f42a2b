"""The table of a comparison: its columns, what is best in each, and the sentences below it.

Above the figures of `rivals`; below the screen, Markdown, CSV and JSON, which only render it. Its
one rule: a column says what smaller means, and the best of it is marked in every report alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Memory, Row, Times
from allocsim.errors import UnknownName
from allocsim.text import format_bytes


@dataclass(frozen=True)
class Column:
    """A figure of every row; the smallest is the best."""

    key: str
    """What --sort and the CSV call it."""
    title: str
    of: Callable[[Row], float | None]
    shown: Callable[[float], str]


@dataclass(frozen=True)
class Compared:
    """A comparison and how it is to be shown."""

    comparison: Comparison
    reference: str
    """The subject whose figures are 1.00 in the relative columns."""
    sort: str | None
    """A column's key; None: in the order in which the subjects were named."""
    command: str

    def rows(self) -> list[Row]:
        """The rows in their order; those that failed come last when sorted."""
        if self.sort is None:
            return self.comparison.rows
        column = column_of(self.sort)
        return sorted(self.comparison.rows, key=lambda row: _or_last(column.of(row)))

    def referred(self) -> Row:
        """The row of the reference."""
        return next(row for row in self.comparison.rows if row.subject == self.reference)


def _of_memory(figure: Callable[[Memory], float | None]) -> Callable[[Row], float | None]:
    """A figure of a row's memory, where there is one."""
    return lambda row: figure(row.memory) if row.memory else None


def _of_times(figure: Callable[[Times], float | None]) -> Callable[[Row], float | None]:
    """A figure of a row's times, where there are any."""
    return lambda row: figure(row.times) if row.times else None


def _times(value: float) -> str:
    """A ratio: "1.42"."""
    return f"{value:.2f}"


def _ns(value: float) -> str:
    """Nanoseconds: "8.3"."""
    return f"{value:.1f}"


FOOTPRINT = Column("footprint", "peak", _of_memory(lambda memory: memory.peak), format_bytes)
TIME = Column("ns", "ns/event", _of_times(lambda times: times.ns), _ns)
KEPT = Column("kept", "kept", _of_memory(lambda memory: memory.kept), format_bytes)

COLUMNS = (
    FOOTPRINT,
    Column("overhead", "x live", _of_memory(lambda memory: memory.overhead), _times),
    Column("end", "end", _of_memory(lambda memory: memory.end), format_bytes),
    KEPT,
    Column("kept-later", "1 s on", _of_memory(lambda memory: memory.kept_later), format_bytes),
    TIME,
    Column("spread", "spread", _of_times(lambda times: times.spread), lambda x: f"{x:.0%}"),
    Column("p50", "p50", _of_times(lambda times: times.p50), _ns),
    Column("p99", "p99", _of_times(lambda times: times.p99), _ns),
    Column("p99.9", "p99.9", _of_times(lambda times: times.p999), _ns),
    Column("faults", "faults", _of_memory(lambda memory: memory.faults), lambda x: f"{x:,.0f}"),
)
"""Those that matter most first."""

RELATED = {FOOTPRINT.key, TIME.key}
"""Columns that are followed by what they are of the reference's."""

MEANINGS = {
    "peak": "the footprint's peak: of a design by its definition, of a library the growth of its "
    "process's resident memory",
    "rel.": "times the reference's",
    "x live": "over the most bytes that were live",
    "kept": "when everything had just been freed; 1 s on: a second later",
    "p50, p99, p99.9": "ns an event in batches of 64",
    "*": "the best of its column",
}
"""What the short titles say."""


def column_of(key: str) -> Column:
    """The column of that key; UnknownName if there is none."""
    for column in COLUMNS:
        if column.key == key:
            return column
    raise UnknownName("column", key, [column.key for column in COLUMNS])


@dataclass(frozen=True)
class Cell:
    """A figure, ready to be shown."""

    text: str
    best: bool = False


def titles() -> list[str]:
    """The head of the table, from the first figure on."""
    found = []
    for column in COLUMNS:
        found += [column.title, "rel."] if column.key in RELATED else [column.title]
    return found


def cells(shown: Compared) -> Mapping[str, Sequence[Cell]]:
    """The figures of each subject that has any, in the order of titles()."""
    rows = [row for row in shown.rows() if row.memory or row.times]
    found: dict[str, list[Cell]] = {row.subject: [] for row in rows}
    for column in COLUMNS:
        values = [column.of(row) for row in rows]
        best = min((value for value in values if value is not None), default=None)
        reference = column.of(shown.referred())
        for row, value in zip(rows, values, strict=True):
            text = "-" if value is None else column.shown(value)
            rank = value is not None and len(rows) > 1 and value == best
            found[row.subject].append(Cell(text, rank and column.key != "spread"))
            if column.key in RELATED:
                found[row.subject].append(Cell(_relative(value, reference)))
    return found


def label(row: Row) -> str:
    """A subject's name; a library that was given by its path is called by its file."""
    name = row.subject
    return f"lib:{Path(name).name}" if "/" in name else name


def _relative(value: float | None, reference: float | None) -> str:
    """A value over the reference's: "1.42"."""
    return f"{value / reference:.2f}" if value is not None and reference else "-"


def _or_last(value: float | None) -> float:
    """A key that sorts what is not known behind everything."""
    return float("inf") if value is None else value
