"""Sentences about a sweep: its size, the best subjects, and remarks.

A subject is a design or a malloc library, with its settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from allocsim.sweep.findings import (
    CLOSE,
    PEAKS,
    TIMES,
    Effect,
    Ranges,
    overall,
    overall_ranges,
    recommended,
)
from allocsim.sweep.paste import line_of
from allocsim.sweep.results import Column, Figures, Results
from allocsim.text import counted

FIGURES = {PEAKS: "peak footprint", TIMES: "time"}
"""The names of the figures that are compared."""

MIN_EFFECT = 0.0005
"""Effects below this share are shown as "none"."""


class Best(NamedTuple):
    """The subject that is best by one figure."""

    sentence: str
    line: str
    """Its settings as environment variables, or "" if it has no settings."""


def headline(results: Results) -> str:
    """Return the size of the sweep."""
    cells = sum(len(column.results) for column in results.columns)
    failed = sum(len(column.failures) for column in results.columns)
    return (
        f"{counted(len(results.columns), 'workload')} on "
        f"{counted(len(results.subjects), 'subject')}: {counted(cells, 'cell')}, {failed:,} failed"
    )


def best_on(results: Results, column: Column) -> list[Best]:
    """Return the best subjects of a workload, one for each figure that was measured."""
    figures = {"footprint": column.peaks, "time": column.times}
    return _best(results, figures, column.time_ranges, f" on {column.label}")


def best_overall(results: Results) -> list[Best]:
    """Return the best subjects over all workloads, one for each figure that was measured."""
    means = {
        title: {entry.subject: entry.mean for entry in overall(results, figure)}
        for title, figure in (("footprint", PEAKS), ("time", TIMES))
    }
    where = " over all workloads" if len(results.columns) > 1 else ""
    return _best(results, means, overall_ranges(results), where)


def effect_size(effect: Effect) -> str:
    """Return the size of an effect as a percentage, or "none" if it is below MIN_EFFECT."""
    return "none" if effect.size < MIN_EFFECT else f"{effect.size:.1%}"


def best_value(effect: Effect) -> str:
    """Return the best value of a setting, or "-" if its effect may be noise."""
    return effect.best or "-"


def cautions(results: Results) -> Iterator[str]:
    """Yield warnings about the times."""
    times, ranges = (
        sum(len(getattr(column, figure)) for column in results.columns)
        for figure in ("times", "time_ranges")
    )
    if times > ranges:
        yield "times of a single run are not ranked; use --runs 5"
    if len(results.hosts) > 1:
        yield f"times were measured on several machines: {', '.join(sorted(results.hosts))}"


def remarks(results: Results) -> Iterator[str]:
    """Yield remarks: a missing measurement of times, and the definition of the footprint."""
    if not any(column.times for column in results.columns):
        yield "times were not measured; use --timed"
    libraries = sum(name.startswith("lib:") for name in results.subjects)
    if 0 < libraries < len(results.subjects):
        yield (
            "footprint of a design: heap - released + metadata; "
            "of a library: growth of anonymous RSS"
        )


def _best(results: Results, by: Mapping[str, Figures], times: Ranges, where: str) -> list[Best]:
    """Return the best subject by each figure that was measured.

    `times` has the ranges of the times. Times of a single run have no range and are not ranked.
    `where` names the workloads.
    """
    best = []
    for title, known in by.items():
        ranges = times if title == "time" else None
        figures = known if ranges is None else {n: known[n] for n in known if n in ranges}
        if figures:
            name, others = recommended(figures, results.setting_counts, ranges)
            alike = f"within {CLOSE:.1%}{', or with overlapping time ranges' if ranges else ''}"
            close = f" ({counted(others, 'other')} {alike})" if others else ""
            sentence = f"best by {title}{where}: {name}{close}"
            best.append(Best(sentence, line_of(results, name)))
    return best
