"""The spread of repeated measurements, and whether it carries a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

MAX_SPREAD = 0.10
"""Measurements can be compared if the spread of their runs is at most this."""


def middle(runs: Sequence[float]) -> tuple[float, float]:
    """Return the interquartile range of `runs`; of a single run, the run twice."""
    if len(runs) < 2:
        return runs[0], runs[0]
    low, _, high = quantiles(runs, n=4, method="inclusive")
    return low, high


def spread(runs: Sequence[float]) -> float | None:
    """Return (slowest - fastest) / median of `runs`, or None if there is only one run."""
    centre = median(runs)
    if len(runs) < 2 or not centre:
        return None
    return (max(runs) - min(runs)) / centre
