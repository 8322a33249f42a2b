"""The Pareto front of two figures, such as the peak footprint and the time of each subject.

A subject is off the front only if the measurements show that another is as good in both figures and
better in one. If a figure is a range over several runs, the lower end of the subject's range is
compared with the upper end of the other's. A subject whose runs vary much therefore stays on the
front, and does not take others off it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from math import inf

from allocsim.sweep.findings import CLOSE, Ranges
from allocsim.sweep.results import Figures


def front(up: Figures, across: Figures, ranges: Ranges | None = None) -> list[str]:
    """Return the Pareto front of two figures, the subject with the smallest `across` first.

    `ranges` has the (lower, upper) ends of the ranges of `across`. Subjects without a range are
    left out, because the spread of a single run is not known. If `ranges` is None, all figures are
    exact. The figures `up` are exact.

    A subject X is off the front if another subject Y is as good in both figures and better in one.
    Y is as good if its upper end is at most (1 + CLOSE) times the lower end of X. Y is better if
    (1 + CLOSE) times its upper end is below the lower end of X. Both ends of an exact figure are
    the figure itself. Of several subjects with the same two figures, the first is returned.
    """
    known = across if ranges is None else ranges
    both = sorted((n for n in up if n in across and n in known), key=lambda n: (across[n], up[n]))
    lows, highs = (
        {n: (ranges or {}).get(n, (across[n],) * 2)[end] for n in both} for end in (0, 1)
    )
    ranked = sorted(both, key=highs.__getitem__)
    ends = [highs[name] for name in ranked]
    # least[k] is the smallest `up` of the first k subjects in `ranked`.
    least = [inf, *accumulate((up[name] for name in ranked), min)]

    def is_beaten(name: str) -> bool:
        """Return whether another subject is as good in both figures and better in one."""
        as_good = least[bisect_right(ends, lows[name] * (1 + CLOSE))]
        better = least[bisect_left(ends, lows[name] / (1 + CLOSE))]
        return as_good < up[name] / (1 + CLOSE) or better <= up[name] * (1 + CLOSE)

    first = {(up[name], across[name], lows[name], highs[name]): name for name in reversed(both)}
    return [name for name in reversed(first.values()) if not is_beaten(name)]
