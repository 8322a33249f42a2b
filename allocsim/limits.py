"""Limits and baselines: the checks that can fail a CI job.

Every limit that the user gives yields a Finding. A figure that was not measured fails its limit, so
that a missing measurement never makes a check pass.

Times vary from run to run. A time fails if the whole interquartile range of its runs is above the
bound. If the bound is within this range, and the runs vary by more than MAX_SPREAD, the time fails
too, because such runs would hide any regression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allocsim.saved_results import SubjectFigures
from allocsim.spread import MAX_SPREAD, middle, spread
from allocsim.text import distinct, format_bytes


@dataclass(frozen=True)
class Finding:
    """A limit, and whether a figure is within it. The fields are keys of the JSON of `check`."""

    subject: str
    limit: str
    """The option, such as "--max-footprint", or the figure that is compared with a baseline."""
    figure: float | None
    """The value of the figure. None if it was not measured."""
    bound: float | None
    """The largest value allowed."""
    holds: bool
    text: str
    """The finding as a sentence."""
    spread: float | None = None
    """(slowest - fastest) / median of the runs; None for memory, and for a single run."""


@dataclass(frozen=True)
class Figure:
    """A figure that can be limited or compared; smaller is better."""

    name: str
    of: Callable[[SubjectFigures], float | None]
    format: Callable[[float, int], str]
    """Returns the text of a value; the second argument is the number of decimals."""


def _percent(share: float, decimals: int) -> str:
    """Return a share as a percentage."""
    return f"{share:.{decimals}%}"


FOOTPRINT = Figure("peak footprint", lambda figures: figures.footprint, format_bytes)
END = Figure("footprint at the end", lambda figures: figures.end, format_bytes)
FRAGMENTATION = Figure("fragmentation at the peak", lambda figures: figures.fragmentation, _percent)
TIME = Figure("time", lambda figures: figures.ns, lambda x, decimals: f"{x:.{decimals}f} ns/event")


@dataclass(frozen=True)
class Tolerance:
    """The allowed regression against a baseline, as a share: 0.03 is 3%."""

    memory: float
    time: float | None = None
    """None if times are not compared."""


@dataclass(frozen=True)
class Range:
    """A value, and the interquartile range of its repeated measurements."""

    value: float
    low: float
    high: float
    spread: float | None = None
    """None if the value was measured once."""

    @classmethod
    def of(cls, figure: Figure, figures: SubjectFigures, value: float) -> Range:
        """Return the range of a figure.

        For a time with at least two runs, this is the interquartile range of the runs. Otherwise,
        it is the value alone.
        """
        if figure is not TIME or len(figures.runs) < 2:
            return cls(value, value, value)
        return cls(value, *middle(figures.runs), spread(figures.runs))

    def raised_by(self, share: float) -> Range:
        """Return the range with each value raised by a share of its magnitude."""
        low, high = self.low + share * abs(self.low), self.high + share * abs(self.high)
        return Range(self.value + share * abs(self.value), low, high, self.spread)


def check_limit(figures: SubjectFigures, option: str, figure: Figure, bound: float) -> Finding:
    """Check a figure of a subject against an absolute limit."""
    value = figure.of(figures)
    if value is None:
        return _unknown(figures.subject, option, figure, bound, _reason(figure, figures))
    actual = Range.of(figure, figures, value)
    holds, verdict = _verdict(figure, actual, Range(bound, bound, bound), "exceeded by")
    measured, limit = distinct(figure.format, value, bound)
    text = f"{figure.name} {measured}{_spreads(actual)}, {option} {limit}{verdict}"
    return Finding(figures.subject, option, value, bound, holds, text, actual.spread)


def _reason(figure: Figure, figures: SubjectFigures) -> str:
    """Return why a figure was not measured."""
    if figure is TIME and not figures.subject.startswith("lib:"):
        return figures.failure or NO_TIME
    return figures.failure or "it was not measured"


NO_TIME = "it was not measured: designs are timed on one thread only (--threads one)"
"""The reason why a design may have no time. Contention for locks is not simulated, so a time with
several threads would be too short."""

NOT_MEASURED = "the allocator is in the baseline but was not measured; add it to --on"
"""The reason why the figures of a subject are missing if only the baseline has the subject."""


def check_baseline(
    baseline: Sequence[SubjectFigures], result: Sequence[SubjectFigures], tolerance: Tolerance
) -> list[Finding]:
    """Check every subject of `baseline` for a regression in `result`."""
    by_subject = {figures.subject: figures for figures in result}
    findings = []
    for before in baseline:
        missing = SubjectFigures(before.subject, failure=NOT_MEASURED)
        after = by_subject.get(before.subject, missing)
        for figure in (FOOTPRINT, END, TIME):
            allowed = tolerance.time if figure is TIME else tolerance.memory
            if figure.of(before) is not None and allowed is not None:
                findings.append(_compare(figure, before, after, allowed))
    return findings


def _compare(
    figure: Figure, before: SubjectFigures, after: SubjectFigures, allowed: float
) -> Finding:
    """Check a figure against its value in the baseline; the baseline must have this value."""
    old, new = figure.of(before) or 0.0, figure.of(after)
    base = Range.of(figure, before, old)
    bound = base.raised_by(allowed)
    if new is None:
        reason = _reason(figure, after)
        return _unknown(before.subject, figure.name, figure, bound.value, reason)
    actual = Range.of(figure, after, new)
    worse = f"regression beyond the tolerance of {allowed:.1%}, by"
    holds, verdict = _verdict(figure, actual, bound, worse)
    change = f"{new / old - 1:+.1%}" if old else "was 0"
    was, now = distinct(figure.format, old, new)
    values = f"{was}{_spreads(base)} -> {now}{_spreads(actual)}"
    text = f"{figure.name} {values} ({change}){verdict}"
    return Finding(before.subject, figure.name, new, bound.value, holds, text, actual.spread)


def _verdict(figure: Figure, actual: Range, bound: Range, worse: str) -> tuple[bool, str]:
    """Return whether a figure is within its bound, and the verdict for the text.

    If the ranges overlap, the figure is within its bound, unless the runs vary by more than
    MAX_SPREAD. In that case the figure fails, because such wide ranges would overlap even if there
    were a regression.
    """
    if actual.high <= bound.low:
        return True, ""
    if actual.low > bound.high:
        return False, f": {worse} {_excess(figure, actual.value, bound.value)}"
    widest = max(actual.spread or 0.0, bound.spread or 0.0)
    if widest > MAX_SPREAD:
        remedy = "reduce the load on the machine or increase --runs"
        return False, f": the runs vary too much to tell (spread {widest:.1%}); {remedy}"
    is_over = actual.value > bound.value
    return True, ": over the bound, but within the spread of the runs" if is_over else ""


def _spreads(actual: Range) -> str:
    """Return the spread in parentheses, or "" for a value that was measured once."""
    return "" if actual.spread is None else f" (spread {actual.spread:.1%})"


def _unknown(subject: str, limit: str, figure: Figure, bound: float, reason: str) -> Finding:
    """Return the finding for a missing figure, which always fails its limit."""
    return Finding(subject, limit, None, bound, False, f"{figure.name} is unknown: {reason}")


def _excess(figure: Figure, value: float, bound: float) -> str:
    """Return the excess of a value over its bound as text, with its percentage of the bound."""
    if figure is FRAGMENTATION:
        return f"{100 * (value - bound):.2f} percentage points"
    share = f" ({distinct(_percent, value / bound - 1, 0)[0]})" if bound else ""
    return distinct(figure.format, value - bound, 0)[0] + share
