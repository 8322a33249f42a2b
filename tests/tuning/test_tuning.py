"""Tuning the design tcmalloc for small workloads, end to end."""

from collections.abc import Sequence
from typing import Any

import pytest

from allocsim.errors import InputError
from allocsim.tuning.propose import CHARGES, current, measured
from allocsim.tuning.question import MeasuredWorkload, Question, objective_of
from allocsim.tuning.replayer import Replayer
from allocsim.tuning.search import Steps, search
from allocsim.tuning.tuning import Tuning, tune
from tests.tuning.tuned import workload_of

QUESTION = Question("tcmalloc", {}, reserve=1 << 28)


def tuned(workloads: Sequence[Any], held_back: Sequence[Any] = (), seconds: float = 0.0) -> Tuning:
    return tune(QUESTION, workloads, held_back, (seconds, 1), (lambda _: None, lambda *_: None))


def test_replayer_measures_bytes_in_spans_as_heap_less_free_and_released() -> None:
    """Each of 20 objects of 8 KiB has its own span; 20 objects of 64 bytes share one span."""
    found = Replayer("tcmalloc", {"startup": "none"}, 1 << 28)
    one, two = (found.replay(workload_of(*sizes), None) for sizes in ((8192,), (8192, 64)))
    assert (one.in_spans, two.in_spans) == (20 * 8192, 21 * 8192)
    assert one.footprint >= 1 << 20
    assert one.parts["live"] == 20 * 8192


def test_replayer_replays_under_the_given_table() -> None:
    found = Replayer("tcmalloc", {"startup": "none"}, 1 << 28)
    wide = found.replay(workload_of(64), (16384, 262144))
    assert wide.parts["rounding"] == 20 * (16384 - 64)


def test_table_for_one_size_keeps_the_rules_and_is_replayed() -> None:
    found = tuned([workload_of(1040)])
    QUESTION.rules.require_valid(found.table)
    assert 1152 in found.table
    assert [each.charge for each in found.proposals] == [*CHARGES]
    assert found.rows[0].new.in_spans <= found.rows[0].now.in_spans
    assert (found.held_back, found.left_out) == ([], [])
    assert sum(found.weights) == pytest.approx(20, rel=0.3)


def test_held_back_workload_has_no_part_in_the_table() -> None:
    other = workload_of(100, 2000, 40_000, name="other")
    alone, found = tuned([workload_of(64)]), tuned([workload_of(64)], [other])
    assert found.table == alone.table
    assert [row.name for row in found.held_back] == ["other"]
    assert found.held_back[0].predicted is None


def test_each_of_several_workloads_is_left_out_once() -> None:
    found = tuned([workload_of(64, name="a"), workload_of(3000, name="b")])
    assert [row.name for row in found.left_out] == ["a", "b"]


def test_search_never_returns_a_worse_table() -> None:
    found = tuned([workload_of(64, 200, 900)], seconds=0.3)
    assert found.search is not None
    assert found.search.replays > 0
    assert found.search.best.score <= min(each.score for each in found.proposals)
    QUESTION.rules.require_valid(found.table)


def test_search_starts_from_the_current_table_too() -> None:
    workloads = [MeasuredWorkload.of(QUESTION, workload_of(64))]
    start = current(QUESTION, workloads)
    found = search(QUESTION, workloads, start, (0.2, 1), lambda *_: None)
    assert found.best.score <= start.score
    assert measured(QUESTION, workloads, found.best.table).score == found.best.score


@pytest.mark.parametrize("seed", [1, 2])
def test_steps_keep_the_rules_and_never_repeat(seed: int) -> None:
    workloads = [MeasuredWorkload.of(QUESTION, workload_of(24, 100, 3000))]
    steps, table, seen = Steps(objective_of(QUESTION, workloads), 127, seed), QUESTION.own_table, []
    for _ in range(200):
        found = steps.after(table)
        assert found is not None
        QUESTION.rules.require_valid(found)
        seen.append(found)
        table = found
    assert len({*seen, QUESTION.own_table}) == 201


def test_question_refuses_designs_without_a_table() -> None:
    with pytest.raises(InputError, match="size classes of go2008 cannot be replaced"):
        Question("go2008", {})


def test_question_refuses_a_given_table() -> None:
    with pytest.raises(InputError, match="tune finds a table itself"):
        Question("tcmalloc", {"size_classes": "8,16"})
