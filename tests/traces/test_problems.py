"""Problems of a trace: faults of events, gaps in thread numbers, wrong figures in the header."""

from pathlib import Path

import pytest

from allocsim.trace_stats import collect_stats
from allocsim.traces.native.file import CLAIMS, read_trace, write_trace
from allocsim.traces.problems import problems_of
from tests.driving import Call, free, malloc, realloc
from tests.traces.streams import trace_of, valid_calls

PROBLEMS = {
    "allocated twice": ([malloc(0, 1), malloc(0, 1)], "event 2 allocates an object that is live"),
    "freed twice": ([malloc(0, 1), free(1)], "event 2 frees an object that is not live"),
    "resized after free": ([realloc(0, 1)], "event 1 resizes an object that is not live"),
    "hole": (
        [malloc(0, 1, 0), malloc(1, 1, 7)],
        "thread numbers have gaps: calls come from 2 threads, and the highest number is 7",
    ),
    "only thread": ([malloc(0, 1, 3)], "gaps: calls come from 1 thread, and the highest number"),
}


@pytest.mark.parametrize(("calls", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_problem_is_reported(calls: list[Call], problem: str) -> None:
    trace = trace_of(calls)
    (found,) = problems_of(trace, collect_stats(trace))
    assert problem in found


def test_repeated_problem_is_counted() -> None:
    trace = trace_of([malloc(0, 1), free(1), free(1)])
    found = problems_of(trace, collect_stats(trace))
    assert found == ["event 2 frees an object that is not live (2 such events)"]


def test_all_problems_are_reported() -> None:
    trace = trace_of([malloc(0, 1), malloc(0, 1), free(3), free(3), realloc(7, 1, 9)])
    assert len(problems_of(trace, collect_stats(trace))) == 4


def test_valid_trace_has_no_problems(tmp_path: Path) -> None:
    path = tmp_path / "valid.allocsim"
    write_trace(trace_of(valid_calls(3, 100)), path)
    trace = read_trace(path)
    assert problems_of(trace, collect_stats(trace)) == []


@pytest.mark.parametrize("claim", CLAIMS)
def test_wrong_claim_is_a_problem(tmp_path: Path, claim: str) -> None:
    path = tmp_path / "claims.allocsim"
    write_trace(trace_of([malloc(0, 5), malloc(1, 7), free(0)]), path)
    trace = read_trace(path)
    value = trace.description["claims"][claim]
    trace.description["claims"][claim] = value + 1000
    (found,) = problems_of(trace, collect_stats(trace))
    assert found == f"the header says {claim} = {value + 1000:,}, but the events give {value:,}"
