"""The workload `random`: one event per step, slots half full, threads at random."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.events import CHUNK, Op, no_events
from allocsim.generators.random import Random, toggle
from allocsim.generators.sizes import Fixed
from allocsim.quantities import Size
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
    assert digest(Random(ops=500), 500) == "ec164c3c4957dfbe"
    assert digest(Random(ops=500, threads=4, slots=50), 500) == "4e8e038e382bbc5c"


def test_seed_decides_the_events() -> None:
    assert_deterministic(Random(ops=200), Random(ops=200, seed=2))


@pytest.mark.parametrize("slots", [1, 2, 50])
@pytest.mark.parametrize("threads", [1, 3])
def test_events_are_valid(slots: int, threads: int) -> None:
    assert_valid(Random(ops=200 * SCALE, slots=slots, threads=threads))


def test_defaults_are_those_of_testrandom() -> None:
    assert Random() == Random(ops=1 << 20, slots=1000, threads=1, seed=1)


@pytest.mark.parametrize("ops", [1, 2, 777])
def test_length_is_the_number_of_steps(ops: int) -> None:
    assert Random(ops=ops).length() == ops == len(events_of(Random(ops=ops)))


@pytest.mark.parametrize("ops", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_all_chunks_but_the_last_are_full(monkeypatch: pytest.MonkeyPatch, ops: int) -> None:
    monkeypatch.setattr("allocsim.generators.random.toggle", lambda *_: None)
    assert chunk_lengths(Random(ops=ops)) == full_chunks(ops)


def test_slots_are_kept_from_chunk_to_chunk() -> None:
    """Objects that are live at the end of a chunk are live at the beginning of the next."""
    events = assert_valid(Random(ops=CHUNK + 300, slots=3)) if SCALE > 1 else None
    assert events is None or len(events) == CHUNK + 300


def test_slots_are_half_full() -> None:
    events = events_of(Random(ops=400 * SCALE, slots=20))
    live = np.cumsum(np.where(events.op == Op.MALLOC, 1, -1))
    assert 8 < live[100:].mean() < 12


def test_one_slot_is_filled_and_emptied_in_turn() -> None:
    events = events_of(Random(ops=100, slots=1))
    assert events.op.tolist() == [Op.MALLOC, Op.FREE] * 50


def test_one_thread_is_thread_0() -> None:
    assert set(events_of(Random(ops=200)).thread.tolist()) == {0}


def test_all_threads_are_used() -> None:
    assert set(events_of(Random(ops=300, threads=5)).thread.tolist()) == set(range(5))


def test_maximum_of_threads_is_accepted() -> None:
    threads = events_of(Random(ops=300, threads=65536)).thread
    assert threads.max() > 60_000


def test_threads_do_not_change_the_rest() -> None:
    one, many = events_of(Random(ops=200)), events_of(Random(ops=200, threads=9))
    for name in ("op", "object", "request"):
        assert one[name].tolist() == many[name].tolist()


def test_sizes_follow_the_law() -> None:
    events = events_of(Random(ops=200, size=Fixed(bytes=Size(77))))
    assert set(events.request[events.op == Op.MALLOC].tolist()) == {77}


def test_a_billion_events_do_not_delay_the_first_chunk() -> None:
    generator = Random(ops=10**9)
    assert generator.length() == 10**9
    assert len(next(generator.events())) == CHUNK


@given(st.lists(st.integers(0, 7), max_size=40), st.integers(0, 255))
def test_slots_toggle(slots: list[int], full: int) -> None:
    filled = np.array([full >> slot & 1 for slot in range(8)], np.uint8)
    model = filled.tolist()
    sizes = [random.Random(slot).randrange(1 << 40) for slot in range(len(slots))]
    events = no_events(len(slots))
    events.thread[:] = 3
    toggle(filled, np.array(slots, np.int64), np.array(sizes, np.int64), events)
    for slot, size, event in zip(slots, sizes, events.tolist(), strict=True):
        expected = (0, slot, 3, Op.FREE, 0) if model[slot] else (size, slot, 3, Op.MALLOC, 0)
        assert event == expected
        model[slot] ^= 1
    assert filled.tolist() == model


def test_events_that_were_used_before_are_overwritten() -> None:
    events = no_events(1)
    events.request[:] = 999
    events.op[:] = Op.REALLOC
    toggle(np.ones(1, np.uint8), np.zeros(1, np.int64), np.ones(1, np.int64), events)
    assert events[0].tolist() == (0, 0, 0, Op.FREE, 0)
