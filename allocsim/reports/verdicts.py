"""Sentences that name the best, the second best and the worst subject, by peak and by time.

Invariant: a sentence ranks two subjects only if their figures differ by more than their spread.
"""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.benchmark.figures import Row
from allocsim.reports.comparison import FOOTPRINT, TIME, label
from allocsim.reports.peak_range import peak_extent
from allocsim.reports.ranking import (
    PEAK_NOISE,
    by_peak,
    by_time,
    close_peaks,
    fastest,
    overlapping,
    smallest,
)
from allocsim.text import format_bytes


def lowest_peak_sentence(rows: Sequence[Row]) -> str:
    """Name the subjects with the lowest, the second lowest and the highest peak.

    If peaks of other subjects are too close to the lowest, names only these subjects and the
    lowest. All subjects must have peaks. Returns "" if there are fewer than two subjects.
    """
    first, close = smallest(rows)
    if first is None:
        return ""
    if close:
        named = ", ".join(f"{label(row)} {_peaks(row)}" for row in (first, *close))
        return f"No single lowest peak: {named} {_how_close([first, *close])}."
    return f"Lowest peak: {label(first)}, {_peaks(first)}{_higher(by_peak(rows))}."


def _higher(rows: Sequence[Row]) -> str:
    """Name the subjects with the second lowest and the highest peak; `rows` are ordered by peak.

    Also names the subjects whose peaks are too close to the second. The highest peak is named
    unless another one is too close to it.
    """
    first, second, *others = rows
    close, highest = close_peaks(second, others), rows[-1]
    low, high = FOOTPRINT.of(first) or 0, FOOTPRINT.of(highest) or 0
    ratio = f", {high / low:.2f}x" if low else ""
    last = f" ({label(highest)}: {_peaks(highest)}{ratio})"
    if close:
        named = ", ".join(f"{label(row)} {_peaks(row)}" for row in (second, *close))
        then = f"; then {named}, which {_how_close([second, *close])}"
    else:
        then = f"; then {label(second)}, {_peaks(second)}" if others else ""
    return then + ("" if close_peaks(highest, rows[:-1]) else last)


def _how_close(rows: Sequence[Row]) -> str:
    """Return a verb phrase that says why the peaks of these rows are not ranked."""
    if any(row.peaks for row in rows):
        return "overlap"
    return f"are within {PEAK_NOISE:.0%} of each other"


def fastest_sentence(rows: Sequence[Row]) -> str | None:
    """Name the fastest, the second and the slowest subject.

    If the time ranges of other subjects overlap that of the fastest, names only these subjects and
    the fastest. Returns None if fewer than two subjects have several runs.
    """
    first, close = fastest(rows)
    if first is None:
        return None
    if close:
        named = ", ".join(map(_timed, (first, *close)))
        return f"No single fastest: {named} ns/event; their time ranges overlap."
    return f"Fastest: {label(first)}, {TIME.of(first):.1f} ns/event{_slower(by_time(rows)[1:])}."


def _slower(rows: Sequence[Row]) -> str:
    """Name the second and the slowest subject; `rows` are all but the fastest, ordered by time.

    Also names the subjects whose time ranges overlap that of the second. The slowest subject is
    named unless its time range overlaps that of another subject.
    """
    second, *others = rows
    close, slowest = overlapping(second, others), rows[-1]
    last = f" ({label(slowest)}: {TIME.of(slowest):.1f})"
    if close:
        then = f"; then {', '.join(map(_timed, (second, *close)))}, whose time ranges overlap"
    else:
        then = f"; then {label(second)}, {TIME.of(second):.1f}" if others else ""
    return then + ("" if overlapping(slowest, rows[:-1]) else last)


def _timed(row: Row) -> str:
    """Return a row's name and its time in ns/event."""
    return f"{label(row)} {TIME.of(row):.1f}"


def _peaks(row: Row) -> str:
    """Return the peak of a row as text, or its range over several recordings."""
    return " - ".join(dict.fromkeys(map(format_bytes, peak_extent(row))))
