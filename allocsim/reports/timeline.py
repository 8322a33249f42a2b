"""The timeline on the screen: lines of block characters, above axes of events and of seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from allocsim.reports.phrases import sparkline
from allocsim.reports.screen import Table, styled

MIN_QUARTERS = 32
"""Minimum width, in characters, of an axis with five labels. A narrower axis has two."""


class Line(NamedTuple):
    """A line of the timeline."""

    name: str
    values: Sequence[int]
    top: int
    """The value that a full block character shows."""
    note: str
    style: str


def timeline_table(
    lines: Sequence[Line], events: int, times: Sequence[tuple[int, int]], width: int
) -> Table:
    """Return a table of the lines and the axes, which are at most `width` characters wide.

    The values of a line are evenly spaced. `times` is `Trace.times` of the workload. If `times` is
    empty, there is no axis of seconds.
    """
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for wraps in (False, True, True):
        table.add_column(no_wrap=wraps)
    for line in lines:
        drawn = styled(sparkline(line.values, line.top, width), line.style)
        table.add_row(line.name, drawn, line.note)
    count = min(width, max(len(line.values) for line in lines))
    marks = np.linspace(0, events, 5 if count >= MIN_QUARTERS else 2)
    table.add_row("events", styled(axis([short_count(mark) for mark in marks], count), "dim"), "")
    if times:
        points, nanoseconds = zip(*times, strict=True)
        seconds = _decimal(np.interp(marks, points, nanoseconds) / 1e9)
        table.add_row("seconds", styled(axis(seconds, count), "dim"), "")
    return table


def axis(labels: Sequence[str], width: int) -> str:
    """Return a line of labels at equal distances, from the start of the line to its end."""
    line = ""
    for index, label in enumerate(labels):
        at = index * width // (len(labels) - 1) - (len(label) if index == len(labels) - 1 else 0)
        line = f"{line:<{max(at, 0)}}"
        line += label if line[-1:] in ("", " ") else f" {label}"
    return line


def _decimal(values: np.ndarray) -> list[str]:
    """Format ascending values with the same number of decimals.

    The last value has at least three significant digits, unless it is 0.
    """
    decimals = max(2 - math.floor(math.log10(values[-1])), 0) if values[-1] > 0 else 0
    return [f"{value:.{decimals}f}" for value in values.tolist()]


def short_count(count: float) -> str:
    """Return a count with at most three digits and a decimal unit: "410k"."""
    for unit in ("", "k", "M", "G"):
        if count < 999.5:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.0f}T"
