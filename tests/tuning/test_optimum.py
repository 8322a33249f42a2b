"""The dynamic programming, compared with all subsets of small grids."""

import random
from dataclasses import replace

import numpy as np
import pytest

from allocsim.core.class_rules import ClassSpan
from allocsim.errors import InputError
from allocsim.tuning.objective import Candidates, Objective
from allocsim.tuning.optimum import best_table
from tests.tuning.small_rules import PAGE, Case, all_tables, random_case, rules_of, slow_value

CASES = 100
"""Cases for each of four seeds."""

TOLERANCE = 1e-6
"""Values of the objective count as equal if they differ by at most this amount. EMPTY_CHARGE, which
slow_value omits, changes the value of a table by less. Any other difference is larger."""

GRID = (8, 16, 256)

SPANS = {size: ClassSpan(4, PAGE * 4 // size, 1) for size in GRID}


def objective_of(case: Case) -> Objective:
    candidates = Candidates.of(case.rules, {}, case.floor)
    return replace(Objective.of(candidates, case.counted), charge=case.charge)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_optimum_is_the_best_of_all_tables_that_keep_the_rules(seed: int) -> None:
    dice, with_table = random.Random(seed), 0
    for number in range(CASES):
        case = random_case(dice)
        limit = dice.randint(1, len(case.rules.grid))
        objective = objective_of(case)
        tables = [table for table in all_tables(case) if len(table) <= limit]
        if not tables:
            with pytest.raises(InputError, match="no table"):
                best_table(objective, limit)
            continue
        with_table += 1
        best = best_table(objective, limit)
        expected = min(slow_value(case, table) for table in tables)
        assert best.table in tables, number
        assert slow_value(case, best.table) == pytest.approx(expected, abs=TOLERANCE), number
        assert objective.value(best.table).sum() == pytest.approx(expected, abs=TOLERANCE), number
    assert with_table > CASES / 2


def test_no_class_is_added_that_no_size_needs() -> None:
    case = Case(rules_of(GRID, SPANS), [(np.zeros(33), 1)], 0.0, None)
    smallest = min(all_tables(case), key=len)
    objective = objective_of(case)
    assert len(best_table(objective, 100).table) == len(smallest)


def test_rounding_below_that_of_any_table_is_an_error() -> None:
    objective = objective_of(Case(rules_of(GRID, SPANS), [(np.zeros(33), 1)], 0.5, 0.25))
    with pytest.raises(InputError, match="rounding of every size within the limit of --floor"):
        best_table(objective, 100)
