"""Limits on a result, and one result against another: what a CI job fails for.

Above `standing`; below the commands. Its one rule: every limit that was asked for gets a Finding,
whether it holds or not, so that a report never passes because something was not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allocsim.saved_results import Standing
from allocsim.text import format_bytes


@dataclass(frozen=True)
class Finding:
    """One limit, and whether it holds."""

    subject: str
    limit: str
    """As the user gave it: "--max-footprint", or the figure that is compared."""
    figure: float | None
    """What was measured; None if it was not."""
    bound: float | None
    """The most that it may be."""
    holds: bool
    text: str
    """The finding in a sentence."""


@dataclass(frozen=True)
class Figure:
    """A figure that can be limited or compared: smaller is better."""

    name: str
    of: Callable[[Standing], float | None]
    shown: Callable[[float], str]


FOOTPRINT = Figure("footprint at the peak", lambda standing: standing.footprint, format_bytes)
END = Figure("footprint at the end", lambda standing: standing.end, format_bytes)
FRAGMENTATION = Figure(
    "fragmentation at the peak", lambda standing: standing.fragmentation, lambda x: f"{x:.2%}"
)
TIME = Figure("time an event", lambda standing: standing.ns, lambda x: f"{x:.1f} ns")


@dataclass(frozen=True)
class Tolerance:
    """By what share a result may be worse than the one before."""

    memory: float
    time: float | None = None
    """None: times are no matter."""


def hold_to(standing: Standing, option: str, figure: Figure, bound: float) -> Finding:
    """Whether a figure keeps an absolute bound."""
    value = figure.of(standing)
    if value is None:
        why = standing.failure or "it was not measured"
        return _missing(standing.subject, option, figure, bound, why)
    holds = value <= bound
    text = f"{figure.name} {figure.shown(value)}, {option} {figure.shown(bound)}"
    if not holds:
        text += f": over by {_excess(figure, value, bound)}"
    return Finding(standing.subject, option, value, bound, holds, text)


def hold_against(
    base: Sequence[Standing], result: Sequence[Standing], tolerance: Tolerance
) -> list[Finding]:
    """Whether each subject of `base` is at most so much worse in `result`."""
    later = {standing.subject: standing for standing in result}
    findings = []
    for before in base:
        after = later.get(before.subject, Standing(before.subject, failure="it is not there"))
        for figure in (FOOTPRINT, END, TIME):
            allowed = tolerance.time if figure is TIME else tolerance.memory
            old = figure.of(before)
            if old is not None and allowed is not None:
                findings.append(_compared(before.subject, figure, old, after, allowed))
    return findings


def _compared(subject: str, figure: Figure, old: float, after: Standing, allowed: float) -> Finding:
    """Whether a figure is at most `allowed` worse than it was."""
    new, bound = figure.of(after), old * (1 + allowed)
    if new is None:
        why = after.failure or "it was not measured"
        return _missing(subject, figure.name, figure, bound, why)
    change = f"{new / old - 1:+.1%}" if old else "new"
    text = f"{figure.name} {figure.shown(old)} -> {figure.shown(new)} ({change})"
    if new > bound:
        text += f": worse by more than {allowed:.1%}, over by {_excess(figure, new, bound)}"
    return Finding(subject, figure.name, new, bound, new <= bound, text)


def _missing(subject: str, limit: str, figure: Figure, bound: float, why: str) -> Finding:
    """The finding where there is no figure: a limit that cannot be checked does not hold."""
    return Finding(subject, limit, None, bound, False, f"{figure.name} is not known: {why}")


def _excess(figure: Figure, value: float, bound: float) -> str:
    """How far a value is over its bound: absolute, and as a share of the bound."""
    if figure is FRAGMENTATION:
        return f"{100 * (value - bound):.2f} points"
    share = f" ({value / bound - 1:.1%})" if bound else ""
    return figure.shown(value - bound) + share
