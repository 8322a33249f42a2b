"""The moments of a replay, compared with figures taken after every event."""

from dataclasses import replace

import pytest

from allocsim import Heap
from allocsim.events import Op
from allocsim.moments import Moment
from allocsim.player import replay_trace
from tests.conftest import RESERVE
from tests.driving import Call, free, malloc, random_calls, stream_of
from tests.playing import QUIET, cut, trace_of


def by_hand(calls: list[Call], design: str) -> dict[str, tuple[int | None, int, int]]:
    """Return (event, footprint, live) of each moment, from a snapshot after each event."""
    with Heap(design, reserve=RESERVE) as heap:
        samples = replay_trace(heap, trace_of(stream_of(calls)), replace(QUIET, every=1)).samples
    points = [(int(s["event"]), int(s["footprint"]), int(s["live"])) for s in samples]
    last = max(index for index, call in enumerate(calls) if call.op != Op.FREE)
    mean = [sum(column) // len(points) for column in list(zip(*points, strict=True))[1:]]
    eligible = points[: last + 1]
    if points[-1][2] > 0 and points[-1][2] * 20 >= mean[1]:
        eligible = [*eligible, points[-1]]
    return {
        "peak": max(points, key=lambda point: point[1]),
        "live-peak": max(points, key=lambda point: point[2]),
        "worst": max(eligible, key=lambda point: point[1] - point[2]),
        "end": points[-1],
        "mean": (None, *mean),
    }


def found(calls: list[Call], design: str, chunk: int) -> dict[str, tuple[int | None, int, int]]:
    """Return the same figures as reported by a replay."""
    with Heap(design, reserve=RESERVE) as heap:
        profile = replay_trace(heap, trace_of(*cut(stream_of(calls), chunk)), QUIET)
    return {m.name: (m.event, m.footprint, m.live) for m in profile.moments}


@pytest.mark.parametrize("design", ["go2008", "tcmalloc", "glibc"])
@pytest.mark.parametrize("ending", ["holding", "freeing", "nearly empty"])
@pytest.mark.parametrize("seed", [5])
def test_moments_are_those_of_a_sample_after_each_event(
    design: str, ending: str, seed: int
) -> None:
    calls = random_calls(seed, 60, objects=20)
    live = {call.object for call in calls}
    for call in calls:
        live = live - {call.object} if call.op == Op.FREE else live | {call.object}
    if ending != "holding":
        calls += [free(number) for number in sorted(live)]
    if ending == "nearly empty":
        calls[0:0] = [malloc(99, 1)]
    assert found(calls, design, chunk=64) == by_hand(calls, design)


def test_freeing_all_at_the_end_is_not_the_worst_moment() -> None:
    calls = [malloc(number, 1000) for number in range(50)] + [free(number) for number in range(50)]
    assert found(calls, "tcmalloc", 1000)["worst"][0] <= 50  # type: ignore[operator]


def test_an_end_that_holds_objects_can_be_the_worst_moment() -> None:
    calls = [malloc(number, 50_000) for number in range(50)] + [
        free(number) for number in range(40)
    ]
    assert found(calls, "tcmalloc", 1000)["worst"][0] == 90


def test_a_replay_without_events_has_moments() -> None:
    with Heap(reserve=RESERVE) as heap:
        profile = replay_trace(heap, trace_of(), QUIET)
    assert [moment.event for moment in profile.moments] == [0, 0, 0, 0, None]
    assert profile.moments[-1] == Moment("mean", None, 0, 0)
