"""The workload `pipeline`: one thread puts in, another takes the oldest out."""

from collections import deque

import numpy as np
import pytest

from allocsim.events import CHUNK, Op
from allocsim.generators.pipeline import CONSUMER, PRODUCER, Pipeline
from tests.conftest import SCALE
from tests.generators.streams import (
    assert_deterministic,
    assert_valid,
    chunk_lengths,
    digest,
    events_of,
    full_chunks,
)


def test_stream_of_seed_1_never_changes() -> None:
    assert digest(Pipeline(ops=500, depth=20), 500) == "7c040f8015f77c89"


def test_seed_decides_the_events() -> None:
    assert_deterministic(Pipeline(ops=200), Pipeline(ops=200, seed=2))


@pytest.mark.parametrize("depth", [1, 2, 10])
def test_objects_are_freed_in_the_order_of_allocation(depth: int) -> None:
    queue = deque[int]()
    for event in assert_valid(Pipeline(ops=200 * SCALE, depth=depth)).tolist():
        _, number, thread, op, _ = event
        if op == Op.MALLOC:
            assert thread == PRODUCER
            queue.append(number)
        else:
            assert thread == CONSUMER
            assert number == queue.popleft()
        assert len(queue) <= depth


def test_length_of_the_queue_covers_its_range() -> None:
    events = events_of(Pipeline(ops=500, depth=5))
    held = np.cumsum(np.where(events.op == Op.MALLOC, 1, -1))
    assert set(held.tolist()) == set(range(6))


def test_ids_are_below_the_depth() -> None:
    assert set(events_of(Pipeline(ops=500, depth=7)).object.tolist()) == set(range(7))


def test_sizes_are_between_16_and_512() -> None:
    events = events_of(Pipeline(ops=500))
    requests = events.request[events.op == Op.MALLOC]
    assert 16 <= requests.min() < 30
    assert 495 < requests.max() <= 512


@pytest.mark.parametrize("ops", [1, 777])
def test_length_is_the_number_of_steps(ops: int) -> None:
    assert Pipeline(ops=ops).length() == ops == len(events_of(Pipeline(ops=ops)))


@pytest.mark.parametrize("ops", [1, CHUNK, CHUNK + 1])
def test_all_chunks_but_the_last_are_full(monkeypatch: pytest.MonkeyPatch, ops: int) -> None:
    monkeypatch.setattr("allocsim.generators.pipeline._fill", lambda *_: None)
    assert chunk_lengths(Pipeline(ops=ops)) == full_chunks(ops)


def test_queue_is_kept_from_chunk_to_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allocsim.generators.pipeline.CHUNK", 7)
    assert_valid(Pipeline(ops=200, depth=5))


def test_a_billion_events_do_not_delay_the_first_chunk() -> None:
    assert len(next(Pipeline(ops=10**9).events())) == CHUNK
