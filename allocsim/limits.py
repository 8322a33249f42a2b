"""Limits and baselines: the checks that can fail a CI job.

Every limit that the user gives yields a Finding. A figure that was not measured fails its limit, so
a check never passes because a measurement is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allocsim.saved_results import SubjectFigures
from allocsim.text import format_bytes


@dataclass(frozen=True)
class Finding:
    """One limit and whether it holds. The fields are keys of the JSON that `check` prints."""

    subject: str
    limit: str
    """The option, such as "--max-footprint", or the figure that is compared with a baseline."""
    figure: float | None
    """The value of the figure; None if it was not measured."""
    bound: float | None
    """The largest value allowed."""
    holds: bool
    text: str
    """The finding as a sentence."""


@dataclass(frozen=True)
class Figure:
    """A figure that can be limited or compared; smaller is better."""

    name: str
    of: Callable[[SubjectFigures], float | None]
    format: Callable[[float], str]


FOOTPRINT = Figure("peak footprint", lambda figures: figures.footprint, format_bytes)
END = Figure("footprint at the end", lambda figures: figures.end, format_bytes)
FRAGMENTATION = Figure(
    "fragmentation at the peak", lambda figures: figures.fragmentation, lambda x: f"{x:.1%}"
)
TIME = Figure("time", lambda figures: figures.ns, lambda x: f"{x:.1f} ns/event")


@dataclass(frozen=True)
class Tolerance:
    """The allowed regression against a baseline, as a share: 0.03 is 3%."""

    memory: float
    time: float | None = None
    """None if times are not compared."""


def check_limit(figures: SubjectFigures, option: str, figure: Figure, bound: float) -> Finding:
    """Check a figure of a subject against an absolute limit."""
    value = figure.of(figures)
    if value is None:
        reason = figures.failure or "it was not measured"
        return _unknown(figures.subject, option, figure, bound, reason)
    text = f"{figure.name} {figure.format(value)}, {option} {figure.format(bound)}"
    if value > bound:
        text += f": exceeded by {_excess(figure, value, bound)}"
    return Finding(figures.subject, option, value, bound, value <= bound, text)


def check_baseline(
    baseline: Sequence[SubjectFigures], result: Sequence[SubjectFigures], tolerance: Tolerance
) -> list[Finding]:
    """Check every subject of `baseline` for a regression in `result`."""
    by_subject = {figures.subject: figures for figures in result}
    findings = []
    for before in baseline:
        missing = SubjectFigures(before.subject, failure="the subject is missing")
        after = by_subject.get(before.subject, missing)
        for figure in (FOOTPRINT, END, TIME):
            allowed = tolerance.time if figure is TIME else tolerance.memory
            old = figure.of(before)
            if old is not None and allowed is not None:
                findings.append(_compare(before.subject, figure, old, after, allowed))
    return findings


def _compare(
    subject: str, figure: Figure, old: float, after: SubjectFigures, allowed: float
) -> Finding:
    """Check a figure against its value in the baseline."""
    new, bound = figure.of(after), old * (1 + allowed)
    if new is None:
        reason = after.failure or "it was not measured"
        return _unknown(subject, figure.name, figure, bound, reason)
    change = f"{new / old - 1:+.1%}" if old else "was 0"
    text = f"{figure.name} {figure.format(old)} -> {figure.format(new)} ({change})"
    if new > bound:
        excess = _excess(figure, new, bound)
        text += f": regression beyond the tolerance of {allowed:.1%}, by {excess}"
    return Finding(subject, figure.name, new, bound, new <= bound, text)


def _unknown(subject: str, limit: str, figure: Figure, bound: float, reason: str) -> Finding:
    """Return the finding for a missing figure, which always fails its limit."""
    return Finding(subject, limit, None, bound, False, f"{figure.name} is unknown: {reason}")


def _excess(figure: Figure, value: float, bound: float) -> str:
    """Return by how much a value exceeds its bound, in absolute terms and as a share of it."""
    if figure is FRAGMENTATION:
        return f"{100 * (value - bound):.2f} percentage points"
    share = f" ({value / bound - 1:.1%})" if bound else ""
    return figure.format(value - bound) + share
