"""Replay in steps on a design: the figures that each step reads."""

from collections.abc import Iterator

import numpy as np
import pytest

from allocsim import Heap
from allocsim.benchmark.meter import Meter, open_meter
from allocsim.benchmark.stepping import (
    free_events,
    new_run,
    one_step,
    peak_live,
    replay_steps,
    steps_ending_at,
)
from allocsim.driver import Stop, Touch
from allocsim.player import NEVER
from tests.conftest import RESERVE
from tests.driving import free, malloc, realloc, stream

EVENTS = stream(malloc(0, 100), malloc(1, 5000), free(0), realloc(1, 200), malloc(0, 40_000))
LIVE = [100, 5100, 5000, 200, 40_200]


@pytest.fixture
def heap() -> Iterator[Heap]:
    with Heap(reserve=RESERVE) as heap:
        yield heap


@pytest.fixture
def meter() -> Meter:
    return open_meter()


def test_step_has_the_readings_at_its_end(heap: Heap, meter: Meter) -> None:
    steps, run = steps_ending_at([1, 2, 4, 5]), new_run(2, Touch.PAGE)
    assert replay_steps(heap.state, run, EVENTS, steps, meter) == 4
    assert steps.live.tolist() == [LIVE[0], LIVE[1], LIVE[3], LIVE[4]]
    assert (np.diff(steps.footprint) >= 0).all()
    assert steps.footprint[0] > 0
    assert (steps.resident > 1 << 20).all()
    times = np.stack([steps.begun, steps.ended], axis=1).ravel()
    assert (np.diff(times) >= 0).all()
    assert run.driver[0].events == 5
    assert run.driver[0].peak_live == 40_200


def test_each_replay_counts_its_own_events(heap: Heap, meter: Meter) -> None:
    run, step = new_run(2, Touch.NONE), steps_ending_at([5])
    for _ in range(3):
        last = free_events(run)
        assert replay_steps(heap.state, run, last, one_step(last), meter) <= 1
        assert replay_steps(heap.state, run, EVENTS, step, meter) == 1
        assert step.live[0] == LIVE[-1]


def test_memory_is_not_read_by_a_meter_of_the_clock(heap: Heap) -> None:
    step = steps_ending_at([5])
    replay_steps(heap.state, new_run(2, Touch.NONE), EVENTS, step, open_meter(memory=False))
    assert step.resident[0] == 0
    assert step.ended[0] > step.begun[0]


def test_invalid_event_ends_the_replay(heap: Heap, meter: Meter) -> None:
    run = new_run(2, Touch.NONE)
    assert (
        replay_steps(heap.state, run, stream(malloc(0, 1), free(1)), steps_ending_at([1, 2]), meter)
        == 1
    )
    assert run.driver[0].stop == Stop.BAD_EVENT


def test_limit_ends_the_replay(heap: Heap, meter: Meter) -> None:
    run = new_run(2, Touch.NONE, limit=1 << 20)
    assert (
        replay_steps(heap.state, run, stream(malloc(0, 8 << 20)), steps_ending_at([1]), meter) == 0
    )
    assert run.driver[0].stop == Stop.LIMIT
    assert new_run(1, Touch.NONE).driver[0].limit == NEVER


def test_free_events_name_the_live_objects(heap: Heap, meter: Meter) -> None:
    run = new_run(3, Touch.NONE)
    replay_steps(heap.state, run, EVENTS, steps_ending_at([5]), meter)
    assert free_events(run).object.tolist() == [0, 1]


def test_peak_of_live_is_found() -> None:
    def peak(count: int, most: int = NEVER) -> tuple[int, int]:
        """Return the peak of live bytes within the first `count` events, and when it is reached."""
        return peak_live(EVENTS[:count], np.zeros(2, np.int64), most)

    assert peak(5) == (40_200, 5)
    assert peak(4) == (5100, 2)
    assert peak(0) == (0, 0)
    assert peak(5, 4096) == (4296, 5)
    assert peak(4, 4096) == (4196, 2)
