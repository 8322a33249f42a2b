"""Facts about events: reading them from a description, and counting the calls before each event."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.events import Op, Trace, on_one_thread
from allocsim.recorded_pairs import MAX_PAIRS
from allocsim.traces import open_trace
from allocsim.traces.event_facts import TIMES, CallsBefore, fact_of
from allocsim.traces.native.file import write_trace
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


def test_times_of_a_file_count_calls_and_no_notes(tmp_path: Path) -> None:
    """Events 0 and 1 are not calls, so only one call precedes event 3."""
    events = stream(malloc(0, 8), malloc(0, 8), malloc(0, 8), free(0))
    events.op[:2], events.request[:2] = Op.THREAD_DONE, 0
    rows = [[0, 0], [3, 1000], [4, 2000]]
    write_trace(Trace("t", iter([events]), {"kind": "trace", "times": rows}), tmp_path / "t")
    with open_trace(str(tmp_path / "t")) as read:
        assert read.times == []  # filled at the end of the stream
        assert sum(len(chunk) for chunk in read.chunks) == 4
    assert read.times == [(0, 0), (1, 1000), (2, 2000)]


def test_trace_of_one_thread_has_the_times_of_its_calls(tmp_path: Path) -> None:
    events = stream(malloc(0, 8), malloc(0, 8), free(0))
    events.op[0], events.request[0] = Op.THREAD_DONE, 0
    source = {"kind": "trace", "times": [[1, 0], [2, 1000]]}
    write_trace(Trace("t", iter([events]), source), tmp_path / "t")
    with on_one_thread(open_trace(str(tmp_path / "t"))) as read:
        assert sum(len(chunk) for chunk in read.chunks) == 2
    assert read.times == [(0, 0), (1, 1000)]
