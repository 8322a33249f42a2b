"""The spread of repeated measurements, which decides whether they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

MAX_SPREAD = 0.10
"""Maximum `spread` of runs whose times can be compared."""


def middle(runs: Sequence[float]) -> tuple[float, float]:
    """Return the interquartile range of `runs`, their middle half; for a single run, (run, run)."""
    if len(runs) < 2:
        return runs[0], runs[0]
    low, _, high = quantiles(runs, n=4, method="inclusive")
    return low, high


def spread(runs: Sequence[float]) -> float | None:
    """Return (slowest - fastest) / median of `runs`, or None if there is only one run."""
    mid = median(runs)
    if len(runs) < 2 or not mid:
        return None
    return (max(runs) - min(runs)) / mid
