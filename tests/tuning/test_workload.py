"""Reading workloads into memory; the weights of sizes, which must equal a slow count."""

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from allocsim.designs import find_design
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.events import Op
from allocsim.trace_stats import collect_stats
from allocsim.tuning import workload as workload_module
from allocsim.tuning.workload import read_workload, weights
from tests.driving import Call, free, malloc, realloc, stream
from tests.playing import cut, trace_of
from tests.random_streams import calls

RULES = find_design("tcmalloc").require_class_rules()
OWN = (*RULES.own(find_design("tcmalloc").checked({})),)


def weights_of(*events: Call) -> dict[int, float]:
    """Return the weight of each row of 8 sizes (see `weights`), by the largest size of the row."""
    found = weights(read_workload(trace_of(stream(*events))), RULES, OWN)
    return {8 * int(row): float(found[row]) for row in np.flatnonzero(found)}


def slow_weights(events: list[Call]) -> dict[int, float]:
    """Return the same weights, counted event by event; realloc and memalign are not supported."""
    live: dict[int, int] = {}
    moments: list[tuple[int, Counter[int]]] = []
    for call in events:
        if call.op == Op.FREE:
            del live[call.object]
        else:
            live[call.object] = call.request
        rows = Counter(8 * -(-max(size, 1) // 8) for size in live.values() if size <= 262144)
        moments.append((sum(live.values()), rows))
    peak = max(moments, key=lambda moment: moment[0])  # the first one, if several are equal
    mean_live = sum(moment[0] for moment in moments) / len(moments)
    total: Counter[int] = Counter()
    for _, rows in moments:
        total.update(rows)
    return {
        row: (peak[1][row] + total[row] / len(moments) * peak[0] / mean_live) / 2 for row in total
    }


def test_weights_are_half_the_peak_and_half_the_mean() -> None:
    """The events leave 100, 200 and 100 live bytes, so the peak is 200 and the mean is 400 / 3."""
    found = weights_of(malloc(0, 100), malloc(1, 100), free(0))
    assert found == {104: pytest.approx((2 + 4 / 3 * 200 / (400 / 3)) / 2)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weights_equal_a_slow_count(seed: int) -> None:
    plain = {Op.MALLOC, Op.CALLOC, Op.FREE}
    kept, live = [], set[int]()
    for call in calls(seed, 300):
        if call.op in plain and (call.object in live) == (call.op == Op.FREE):
            (live.discard if call.op == Op.FREE else live.add)(call.object)
            kept.append(call)
    assert weights_of(*kept) == pytest.approx(slow_weights(kept))


def test_size_zero_is_counted_with_the_smallest_sizes() -> None:
    assert [*weights_of(malloc(0, 0), malloc(1, 8))] == [8]


def test_sizes_above_the_largest_class_are_not_counted() -> None:
    assert [*weights_of(malloc(0, 262144), malloc(1, 262145))] == [262144]


def test_memalign_counts_as_a_request_rounded_up_to_the_alignment() -> None:
    assert [*weights_of(Call(Op.MEMALIGN, 0, 100, alignment=6))] == [128]


@pytest.mark.parametrize(
    ("request_", "expected"), [(112, 104), (56, 104), (55, 56), (113, 144), (140, 144), (200, 200)]
)
def test_resized_object_keeps_its_size_or_gets_a_quarter_more(request_: int, expected: int) -> None:
    """The object for the first 100 bytes has 112 bytes, and a quarter more is 140 bytes."""
    found = weights_of(malloc(0, 100), realloc(0, request_), *[Call(Op.MALLOC, 1, 1), free(1)] * 50)
    assert max(found, key=lambda row: found[row] if row > 8 else 0) == expected


def test_freed_and_reallocated_objects_do_not_count_twice() -> None:
    assert weights_of(malloc(0, 64), free(0), malloc(0, 64)) == {64: pytest.approx((1 + 1) / 2)}


def scaled_stats(events: Any, copies: int) -> Any:
    return collect_stats(trace_of(read_workload(trace_of(events), copies).events))


@pytest.mark.parametrize("copies", [1, 2, 7])
def test_copies_are_valid_and_multiply_every_figure(copies: int) -> None:
    events = stream(
        malloc(0, 10), malloc(1, 50, 1), realloc(0, 30), Call(Op.THREAD_DONE, thread=1), free(1)
    )
    one, many = collect_stats(trace_of(events)), scaled_stats(events, copies)
    assert many.faults == {}
    assert (many.events, many.peak_live) == (one.events * copies, one.peak_live * copies)
    assert many.operations["THREAD_DONE"] == 1


def test_peak_is_the_position_after_the_event_that_reaches_it() -> None:
    events = stream(malloc(0, 10), Call(Op.THREAD_DONE), malloc(1, 50), free(0), malloc(0, 1))
    assert read_workload(trace_of(*cut(events, 2))).peak_position == 3
    assert read_workload(trace_of(events), 3).peak_position == 7


def test_invalid_trace_is_an_error() -> None:
    with pytest.raises(InputError, match="event 2 frees an object that is not live"):
        read_workload(trace_of(stream(malloc(0, 10), free(1))))


def test_trace_without_live_bytes_is_an_error() -> None:
    with pytest.raises(InputError, match="no live bytes"):
        read_workload(trace_of(stream(malloc(0, 0))))


def test_trace_larger_than_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload_module, "available_memory", lambda: 100)
    events = stream(*(malloc(number, 8) for number in range(random.randint(4, 9))))
    with pytest.raises(EnvironmentLacks, match="half of the available memory"):
        read_workload(trace_of(events))
