"""The objective that a proposed table minimises, and its terms for a grid of candidate sizes.

F(table) = sum of c(s) u(S(s)) + charge * sum of span(S) over the classes S that are used

c(s) is the weight of size s (see `workload.weights`), S(s) its class, span(S) the bytes of a span,
and u(S) the bytes of an object and its share of the span's tail, which is too short for another
object. Rounding and tail alone would favour as many classes as allowed, but each class in use costs
about half a span: free objects in caches and in partly used spans. With this charge, F predicts how
much a table changes the replayed bytes in spans; the mean error is 1.5% of these bytes. Without the
charge, tables with a smaller F do worse in the replay. For several workloads, each F is divided by
the workload's peak live bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allocsim.core.class_rules import ClassRules
from allocsim.tuning.histogram_kernel import ROW_SHIFT

CHARGE = 0.5
"""Spans charged for each class that a workload uses. This value predicts best (others tried: 0,
1/4, 1 and 2)."""

MIN_FLOOR = 15
"""Bytes that rounding may take in any class, even if the maximum rounding (`floor`, see
`Candidates.of`) is smaller. Without MIN_FLOOR, no table would keep within a `floor` of 25%: even
in a class of 8 bytes, the smallest possible, a request of 1 byte loses 7 bytes to rounding."""

EMPTY_CHARGE = 1e-9
"""Charge for every class, used or not. Without it, a table could have unused classes at no cost."""


@dataclass(frozen=True)
class Candidates:
    """The sizes that a class may have, and their costs."""

    sizes: np.ndarray
    """Object sizes in bytes, ascending."""
    cost: np.ndarray
    """u(S): bytes of an object with its share of the tail."""
    span: np.ndarray
    """Bytes of a span."""
    first: np.ndarray
    """For each candidate: the lowest index of a candidate that may be the previous class; -1 if the
    candidate may be the first class; the candidate's own index if no table can contain it."""
    rows: np.ndarray
    """For each candidate: the last row that it serves. A row is 8 sizes, see `workload.weights`."""

    @classmethod
    def of(
        cls, rules: ClassRules, parameters: Mapping[str, int], floor: float | None
    ) -> Candidates:
        """Return the candidates of a design.

        `floor` is the maximum rounding of an object, as a share of its allocated size. None means
        no limit. Rounding of up to MIN_FLOOR bytes is always allowed.
        """
        spans = [rules.span_of(size, parameters) for size in rules.grid]
        length = np.array([span.pages * rules.page_size for span in spans], np.float64)
        sizes = np.array(rules.grid, np.int64)
        return cls(
            sizes=sizes,
            cost=length / np.array([span.objects for span in spans]),
            span=length,
            first=np.array([_first_before(rules, size, floor) for size in rules.grid]),
            rows=np.minimum(sizes, rules.max_request + 7) >> ROW_SHIFT,
        )


@dataclass(frozen=True)
class Objective:
    """The objective F for some workloads."""

    candidates: Candidates
    below: np.ndarray
    """By workload and candidate: weight of all sizes up to the candidate."""
    share: np.ndarray
    """By workload: 1 / peak live bytes."""
    charge: float = CHARGE
    """Spans charged for each class that a workload uses."""

    @classmethod
    def of(cls, candidates: Candidates, counted: Sequence[tuple[np.ndarray, int]]) -> Objective:
        """Return F for workloads, each given as (weights by row, peak live bytes)."""
        below = [np.cumsum(weights)[candidates.rows] for weights, _ in counted]
        return cls(candidates, np.array(below), np.array([1 / peak for _, peak in counted]))

    def value(self, table: Sequence[int]) -> np.ndarray:
        """Return F of a table for each workload, divided by the workload's peak live bytes."""
        chosen = np.searchsorted(self.candidates.sizes, table)
        counts = np.diff(self.below[:, chosen], prepend=0.0)
        charges = np.where(counts > 0, self.charge * self.candidates.span[chosen], 0.0)
        costs: np.ndarray = counts @ self.candidates.cost[chosen] + charges.sum(axis=1)
        return costs * self.share

    def costs(self, index: int, first: int) -> np.ndarray:
        """Return what candidate `index`, as a class, adds to the sum of F over the workloads.

        Element k is the amount if the previous class is the candidate with index `first + k - 1`.
        Index -1 means that there is no previous class.
        """
        before = self.below[:, max(first - 1, 0) : index]
        if first == 0:
            before = np.concatenate([np.zeros((len(self.share), 1)), before], axis=1)
        counts = self.below[:, index, None] - before
        charges = np.where(counts > 0, self.charge * self.candidates.span[index], 0.0)
        added: np.ndarray = self.share @ (counts * self.candidates.cost[index] + charges)
        return added + EMPTY_CHARGE


def _first_before(rules: ClassRules, size: int, floor: float | None) -> int:
    """Return the element of `Candidates.first` for a size.

    The previous class must be large enough that no required class is skipped, no request is
    misaligned, and the share of rounding does not exceed `floor`.
    """
    smallest = max((each for each in rules.required if each < size), default=0)
    if rules.aligned:
        smallest = max(smallest, rules.misaligned(0, size) or 0)
    if floor is not None:
        smallest = max(smallest, size - 1 - int(max(floor * size, MIN_FLOOR)))
    if smallest <= 0:
        return -1
    return bisect_left(rules.grid, smallest)
