"""History of a trace: live bytes at evenly spaced events, and totals for lines of the program."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim import trace_history
from allocsim.call_sites.frame import UNKNOWN, Frame
from allocsim.call_sites.table import table_of_addresses
from allocsim.events import Op
from allocsim.trace_history import Point, SiteTotal, collect_history
from allocsim.trace_stats import collect_stats
from tests.call_sites.stacks import FRAMES, random_table, random_trace, with_sites
from tests.driving import Call, free, malloc, realloc
from tests.traces.streams import streams, trace_of


@given(calls=streams, limit=st.sampled_from((4, 6, 16)))
def test_points_are_the_live_objects_and_bytes_at_their_events(
    calls: list[Call], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_history, "MAX_POINTS", limit)
        stats, history = collect_history(trace_of(calls))
    assert stats == collect_stats(trace_of(calls))
    live: dict[int, int] = {}
    states = [(0, 0)]
    for call in calls:
        if call.op <= Op.FREE:
            live[call.object] = call.request
            if call.op == Op.FREE:
                del live[call.object]
            states.append((len(live), sum(live.values())))
    assert history.timeline == [Point(it.event, *states[it.event]) for it in history.timeline]
    assert history.timeline[-1].event == len(states) - 1
    assert len(history.timeline) <= limit
    events = [point.event for point in history.timeline]
    assert events == sorted({*events})


def test_points_stay_evenly_spaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_history, "MAX_POINTS", 8)
    _, history = collect_history(trace_of([malloc(number, 1) for number in range(50)], chunk=7))
    assert [point.event for point in history.timeline] == [8, 16, 24, 32, 40, 48, 50]


def test_trace_without_events_has_an_end() -> None:
    _, history = collect_history(trace_of([]))
    assert history.timeline == [Point(0, 0, 0)]
    assert history.sites == []


@given(calls=streams, seed=st.integers(0, 1 << 32))
def test_totals_by_line_are_those_of_a_plain_count(calls: list[Call], seed: int) -> None:
    numbers = iter(random_numbers(calls, seed))
    expected_calls, expected_bytes = Counter[Frame](), Counter[Frame]()
    table = random_table(seed)
    for call in calls:
        if call.op <= Op.REALLOC:
            frame = (table.own_stack(next(numbers)) or [UNKNOWN])[0]
            expected_calls[frame] += 1
            expected_bytes[frame] += call.request
    _, history = collect_history(random_trace(calls, seed))
    assert {it.frame: it.calls for it in history.sites} == dict(expected_calls)
    assert {it.frame: it.bytes for it in history.sites} == dict(expected_bytes)
    assert [it.bytes for it in history.sites] == sorted(expected_bytes.values(), reverse=True)


def random_numbers(calls: list[Call], seed: int) -> list[int]:
    """Return the site numbers of `random_trace`."""
    sites = random_trace(calls, seed).sites
    assert sites is not None
    found: list[int] = sites.take(sum(call.op <= Op.REALLOC for call in calls)).tolist()
    return found


MAIN, SERVE, NEW, *_ = FRAMES


def test_callers_are_those_of_the_stack_with_the_most_bytes() -> None:
    table = table_of_addresses([0, 0, 1, 0], [0, 0, 1, 1], [[MAIN], [NEW, SERVE]])
    calls = [malloc(0, 5), malloc(1, 9), realloc(0, 6), malloc(2, 1), free(1)]
    _, history = collect_history(with_sites(calls, table, [2, 3, 2, 0]))
    assert history.sites == [
        SiteTotal(SERVE, [MAIN], 3, 20),
        SiteTotal(UNKNOWN, [], 1, 1),
    ]


def test_site_beyond_the_table_is_unknown() -> None:
    _, history = collect_history(with_sites([malloc(0, 5)], random_table(1), [5000]))
    assert history.sites == [SiteTotal(UNKNOWN, [], 1, 5)]
    assert random_table(1).groups_of(np.array([0, 5000])).tolist() == [0, 0]
