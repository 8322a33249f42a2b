"""The objective that a proposed table minimises, and its terms for a grid of candidate sizes.

F(table) = sum of c(s) u(S(s)) + charge * sum of span(S) over the classes S that are used

c(s) is the weight of size s (see `workload.weights`), S(s) its class, span(S) the bytes of a span,
and u(S) the bytes of an object with its share of the span's tail. Rounding and tail alone would
favour as many classes as allowed, but each class in use costs about half a span, of objects that
are cached or in partly used spans. With that charge, F predicts the replayed bytes in spans to
about 1.5 points; without it, the better F, the worse the replay. For several workloads, each F is
divided by the workload's peak live bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allocsim.core.class_rules import ClassRules
from allocsim.tune.histogram_kernel import ROW_SHIFT

CHARGE = 0.5
"""Spans charged for each class that a workload uses. Of 0, 1/4, 1/2, 1 and 2 it predicts best."""

MIN_FLOOR = 15
"""Bytes that rounding may take in any class, whatever the floor. Without them, a floor would force
classes only because the grid is coarse at small sizes."""

EMPTY_CHARGE = 1e-9
"""Charge for a class that no workload uses. Without it, ties would fill the table with classes."""


@dataclass(frozen=True)
class Objective:
    """The terms of F for each candidate of the grid."""

    sizes: np.ndarray
    """The candidates: object sizes in bytes, ascending."""
    cost: np.ndarray
    """u(S): bytes of an object of each candidate with its share of the tail."""
    span: np.ndarray
    """Bytes of a span of each candidate, times the charge."""
    below: np.ndarray
    """By workload and candidate: weight of all sizes up to the candidate."""
    share: np.ndarray
    """By workload: 1 / peak live bytes."""
    first: np.ndarray
    """The lowest index of a candidate that may precede each candidate; -1 if none need precede it.
    A candidate that nothing may precede has its own index."""

    def value(self, table: Sequence[int]) -> np.ndarray:
        """Return F of a table for each workload, in bytes per byte of peak live."""
        chosen = np.searchsorted(self.sizes, table)
        counts = np.diff(self.below[:, chosen], prepend=0.0)
        charges = np.where(counts > 0, self.span[chosen], 0.0)
        found: np.ndarray = (counts @ self.cost[chosen] + charges.sum(axis=1)) * self.share
        return found

    def costs(self, index: int, first: int) -> np.ndarray:
        """Return what the class `index` adds to the sum of F over the workloads.

        Element k is for the class before it being candidate first + k - 1; candidate -1 is none.
        """
        before = np.concatenate([np.zeros((len(self.share), 1)), self.below[:, :index]], axis=1)
        counts = self.below[:, index, None] - before[:, first:]
        charges = np.where(counts > 0, self.span[index], 0.0)
        found: np.ndarray = self.share @ (counts * self.cost[index] + charges) + EMPTY_CHARGE
        return found


def make_objective(
    rules: ClassRules,
    parameters: Mapping[str, int],
    counted: Sequence[tuple[np.ndarray, int]],
    charge: float = CHARGE,
    floor: float | None = None,
) -> Objective:
    """Return the objective for workloads, each given as (weights by row, peak live bytes).

    `floor` is the maximum share of a class that rounding may take, or None for no such limit.
    """
    spans = [rules.span_of(size, parameters) for size in rules.grid]
    length = np.array([span.pages * rules.page_size for span in spans], np.float64)
    rows = [min(size, rules.max_request + 7) >> ROW_SHIFT for size in rules.grid]
    return Objective(
        sizes=np.array(rules.grid, np.int64),
        cost=length / np.array([span.objects for span in spans]),
        span=length * charge,
        below=np.array([np.cumsum(weight)[rows] for weight, _ in counted]),
        share=np.array([1 / peak for _, peak in counted]),
        first=np.array([_first_before(rules, index, floor) for index in range(len(rules.grid))]),
    )


def _first_before(rules: ClassRules, index: int, floor: float | None) -> int:
    """Return the element of `Objective.first` for a candidate.

    The class before must be so large that no required class is passed over, that no request is
    misaligned, and that rounding stays below the floor.
    """
    size = rules.grid[index]
    smallest = max((each for each in rules.required if each < size), default=0)
    if rules.aligned:
        smallest = max(smallest, rules.misaligned(0, size) or 0)
    if floor is not None:
        smallest = max(smallest, size - 1 - int(max(floor * size, MIN_FLOOR)))
    if smallest <= 0:
        return -1
    return int(np.searchsorted(rules.grid, smallest))
