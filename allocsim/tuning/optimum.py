"""The optimal table of size classes, found by dynamic programming over the candidate sizes.

best(j) = min over i of best(i) + cost of the class j after the class i

best(j) is the smallest value of the objective for a table whose last class is candidate j. The cost
of a class depends only on the class before it, so the best table that ends with j is a best table
that ends with some i, extended by j. This takes O(M^2) steps for M candidates, and O(N M^2) if
there may be at most N classes. The optimum is exact. For small sets of candidates, the tests
compare it with every possible table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.errors import InputError
from allocsim.text import counted
from allocsim.tuning.objective import Objective


class Optimum(NamedTuple):
    """A table with the smallest value of an objective."""

    table: tuple[int, ...]
    """Object sizes in bytes, ascending."""
    value: float
    """The value of the objective for this table (F in `objective`), summed over the workloads."""


def best_table(objective: Objective, max_classes: int) -> Optimum:
    """Return an optimal table of at most `max_classes` classes.

    Its last class is the largest candidate. Raises InputError if no table satisfies the rules.
    """
    optimum = _chain(objective, None)
    if len(optimum.table) > max_classes:
        optimum = _chain(objective, max_classes)
    return optimum


def _chain(objective: Objective, limit: int | None) -> Optimum:
    """Return an optimal table of at most `limit` classes; None means no limit.

    `best` has the smallest values of the objective. Column 0 is for the empty table, and column j +
    1 for the tables that end with candidate j. With a limit, row n is for tables of at most n
    classes. Row n is computed from row n - 1 by adding one class.
    """
    count, rows = len(objective.candidates.sizes), 1 if limit is None else limit + 1
    best = np.full((rows, count + 1), np.inf)
    best[:, 0] = 0.0
    before = np.zeros((rows, count + 1), np.int64)
    shorter, longer = (best, best) if limit is None else (best[:-1], best[1:])
    for index, first in enumerate(objective.candidates.first + 1):
        if first <= index:
            totals = shorter[:, first : index + 1] + objective.costs(index, first)
            longer[:, index + 1] = totals.min(axis=1)
            before[rows - len(longer) :, index + 1] = totals.argmin(axis=1) + first
    if not np.isfinite(best[-1, -1]):
        size_classes = "size classes" if limit is None else counted(limit, "size class")
        raise InputError(
            f"no table of {size_classes} keeps the rounding of every size within the limit of "
            "--floor; use a larger --floor"
        )
    return Optimum(_followed(objective, before, limit), float(best[-1, -1]))


def _followed(objective: Objective, before: np.ndarray, limit: int | None) -> tuple[int, ...]:
    """Return the table that ends with the largest candidate.

    For each table in `best`, `before` has the column of the shorter table that remains if the last
    class is removed.
    """
    table, row, column = [], len(before) - 1, before.shape[1] - 1
    while column:
        table.append(int(objective.candidates.sizes[column - 1]))
        column = int(before[row, column])
        row -= limit is not None
    return (*reversed(table),)
