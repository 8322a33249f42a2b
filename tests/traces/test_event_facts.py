"""Facts about single events: read from a description, and rows converted to calls."""

from typing import Any

import numpy as np
import pytest

from allocsim.events import Op, Trace
from allocsim.recorded_pairs import MAX_PAIRS
from allocsim.traces.event_facts import TIMES, CallsBefore, fact_of
from tests.driving import free, malloc, stream


def trace(**source: Any) -> Trace:
    """A trace read from a file with this description of its source."""
    return Trace("t", iter(()), {"kind": "trace", "source": source})


def test_pairs_are_ascending_by_row() -> None:
    found = fact_of(trace(times=[[5, 100], [0, 0]]), TIMES)
    assert found is not None
    assert found.tolist() == [[0, 0], [5, 100]]


@pytest.mark.parametrize(
    "pairs",
    ["x", [[1]], [[-1, 2]], [[1, 1 << 70]], [[0, 0]] * (MAX_PAIRS + 1), {"a": 1}, [["a", 2]]],
)
def test_facts_of_another_form_are_ignored(pairs: object) -> None:
    assert fact_of(trace(times=pairs), TIMES) is None


def test_slice_has_no_facts() -> None:
    assert fact_of(trace(times=[[0, 0]], piece={"from": 5}), TIMES) is None
    assert fact_of(trace(), TIMES) is None


def test_notes_are_not_counted_as_calls() -> None:
    chunks = [stream(malloc(0, 8), malloc(1, 8)), stream(free(0), free(1))]
    chunks[0].op[1] = Op.THREAD_DONE
    before = CallsBefore(np.array([0, 1, 2, 3, 4, 9]))
    calls = 0
    for chunk in chunks:
        before.add(chunk.op <= Op.FREE, calls)
        calls += int(np.count_nonzero(chunk.op <= Op.FREE))
    assert before.calls.tolist() == [0, 1, 1, 2, 3, 3]
