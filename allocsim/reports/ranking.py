"""Rank the rows of a comparison, and find rows whose figures are too close to be ranked."""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.reports.peak_range import peak_extent

PEAK_NOISE = 0.02
"""Share by which the peaks of two replays on one library may differ, for example 5.7 and 5.8
MiB. They differ because the kernel places the pages differently in each process."""


def ranks_peaks(comparison: Comparison) -> bool:
    """Return whether a peak can be called the best.

    If the program was recorded several times, every allocator has several peaks. One allocator is
    then the best only if no other allocator has peaks close to its own (see `close_peaks`). If
    the program was recorded once, and its peak differs from run to run, no peak can be called the
    best (see `Comparison.ranks_peaks`).
    """
    is_repeated = comparison.recordings > 1
    return comparison.ranks_peaks and not (is_repeated and smallest(comparison.rows_with_peaks)[1])


def smallest(rows: Sequence[Row]) -> tuple[Row | None, list[Row]]:
    """Return the row with the lowest peak, and the rows whose peaks are close to it.

    All rows must have peaks. Returns (None, []) if there are fewer than two rows.
    """
    ranked = by_peak(rows)
    return (ranked[0], close_peaks(ranked[0], ranked[1:])) if len(ranked) > 1 else (None, [])


def by_peak(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, all of which must have peaks, with the lowest peak first."""
    return sorted(rows, key=_peak)


def close_peaks(row: Row, others: Sequence[Row]) -> list[Row]:
    """Return the other rows whose peaks are too close to those of `row` to be ranked.

    The peaks of two rows are close if their ranges overlap when the upper ends are increased by
    PEAK_NOISE. All rows must have peaks.
    """
    (low, high), noise = peak_extent(row), 1 + PEAK_NOISE
    extents = [(each, *peak_extent(each)) for each in others]
    return [each for each, its, top in extents if its <= high * noise and low <= top * noise]


def fastest(rows: Sequence[Row]) -> tuple[Row | None, list[Row]]:
    """Return the fastest row, and the rows whose time ranges overlap that of the fastest.

    Returns (None, []) if fewer than two rows can be ranked by time.
    """
    ranked = by_time(rows)
    return (ranked[0], overlapping(ranked[0], ranked[1:])) if len(ranked) > 1 else (None, [])


def by_time(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that can be ranked by time, the fastest first.

    Leaves out rows that failed, and rows with a single run, whose spread is not known.
    """
    timed = [
        (row.times.ns, number, row)
        for number, row in enumerate(rows)
        if row.failure is None and row.times and len(row.times.runs) > 1
    ]
    return [row for _, _, row in sorted(timed)]


def overlapping(row: Row, others: Sequence[Row]) -> list[Row]:
    """Return the other rows whose interquartile ranges of times overlap that of `row`.

    All rows must have times. The report calls the interquartile range the time range.
    """
    low, high = _middle(row)
    return [each for each in others if _middle(each)[0] <= high and low <= _middle(each)[1]]


def _middle(row: Row) -> tuple[float, float]:
    """Return the interquartile range of a row that has times, in ns/event."""
    assert row.times is not None
    return row.times.middle


def _peak(row: Row) -> int:
    """Return the peak of a row that has one."""
    assert row.memory is not None
    return row.memory.peak
