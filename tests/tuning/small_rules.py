"""Rules for small invented tables of size classes; a slow model of these rules and of F.

F is the objective that tuning minimises (see `tuning.objective`).
"""

import random
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from allocsim.core.class_rules import ClassRules, ClassSpan
from allocsim.tuning.objective import MIN_FLOOR

PAGE = 64
"""Size of a page in bytes. It is small, so that few sizes suffice to test the memalign rule."""

Counted = list[tuple[np.ndarray, int]]
"""For each workload: the weights of the sizes 0, 8, 16 and so on, and the peak live bytes."""


class Case(NamedTuple):
    """An invented tuning problem."""

    rules: ClassRules
    counted: Counted
    charge: float
    floor: float | None


def rules_of(
    grid: Sequence[int],
    spans: Mapping[int, ClassSpan],
    required: Sequence[int] = (),
    aligned: bool = False,
) -> ClassRules:
    """Return rules with these spans."""
    return ClassRules(
        grid=(*grid,),
        grid_text="the grid",
        required=dict.fromkeys({*required, grid[-1]}, "test"),
        max_classes=len(grid),
        page_size=PAGE,
        growth_step=PAGE,
        span_of=lambda size, _: spans[size],
        own=lambda _: grid,
        source=lambda sizes, _: str(sizes),
        max_request=grid[-1],
        aligned=aligned,
    )


def random_case(dice: random.Random) -> Case:
    """Return a case of 3 to 9 candidate sizes and 1 to 3 workloads."""
    grid = [8 * row for row in range(1, dice.randint(4, 9) + 1)]
    if dice.random() < 0.5:
        grid.remove(dice.choice(grid[:-1]))
    spans = {size: _random_span(dice, size) for size in grid}
    required = dice.sample(grid, dice.choice((0, 0, 1)))
    rules = rules_of(grid, spans, required, dice.random() < 0.5)
    counted: Counted = []
    for _ in range(dice.randint(1, 3)):
        weights = [dice.choice((0, 0, 1, 7.5, 100)) for _ in range(grid[-1] // 8 + 1)]
        counted.append((np.array([0.0, *weights[1:]]), dice.randint(1, 1000)))
    charge, floor = dice.choice((0.0, 0.25, 0.5, 2.0)), dice.choice((None, 0.25, 0.5, 0.75))
    return Case(rules, counted, charge, floor)


def _random_span(dice: random.Random, size: int) -> ClassSpan:
    """Return a span of the pages that an object needs, and up to 3 more."""
    pages = -(-size // PAGE) + dice.randint(0, 3)
    return ClassSpan(pages, pages * PAGE // size, 1)


def all_tables(case: Case) -> list[tuple[int, ...]]:
    """Return every table that obeys the rules. All subsets of the grid are tried."""
    *rest, largest = case.rules.grid
    return [
        (*chosen, largest)
        for count in range(len(rest) + 1)
        for chosen in combinations(rest, count)
        if _keeps_rules(case, (*chosen, largest))
    ]


def _keeps_rules(case: Case, table: Sequence[int]) -> bool:
    """Return whether a table obeys the rules, which are tested one size at a time."""
    if any(size not in table for size in case.rules.required):
        return False
    for below, size in pairwise([0, *table]):
        if case.floor is not None and size - below - 1 > max(case.floor * size, MIN_FLOOR):
            return False
        if case.rules.aligned and any(
            _misaligned(request, size) for request in range(below + 1, size)
        ):
            return False
    return True


def _misaligned(request: int, size: int) -> bool:
    """Return whether class `size` misaligns memalign(a, request) for any a up to a page."""
    alignments = [1 << shift for shift in range(PAGE.bit_length()) if request % (1 << shift) == 0]
    return any(size % alignment for alignment in alignments)


def slow_value(case: Case, table: Sequence[int]) -> float:
    """Return the sum of F over the workloads, computed one size at a time."""
    total = 0.0
    for weights, peak in case.counted:
        used = set()
        for row, weight in enumerate(weights):
            if weight:
                size = next(each for each in table if each >= 8 * row)
                span = case.rules.span_of(size, {})
                total += weight * span.pages * PAGE / span.objects / peak
                used.add(size)
        spans = sum(case.rules.span_of(size, {}).pages * PAGE for size in used)
        total += case.charge * spans / peak
    return total
