"""The workload `server`: populations by weight, each with its own slots and sizes."""

import numpy as np
import pytest

from allocsim.errors import InputError
from allocsim.events import CHUNK, MAX_OBJECTS, Op
from allocsim.generators.server import Population, Server
from allocsim.generators.sizes import Fixed, LogUniform
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


def fixed(weight: int, slots: int, size: int) -> Population:
    return Population(weight=weight, slots=slots, size=Fixed(bytes=Size(size)))


def server(*, ops: int = 300, threads: int = 1, seed: int = 1) -> Server:
    """Slots 0 to 9 of 100 bytes, nine steps in ten; slots 10 to 29 of 7 bytes."""
    return Server(
        ops=ops, threads=threads, seed=seed, population=(fixed(9, 10, 100), fixed(1, 20, 7))
    )


def test_stream_of_seed_1_never_changes() -> None:
    mixed = Population(weight=3, slots=40, size=LogUniform(max=Size(5000)))
    generator = Server(ops=500, threads=3, population=(mixed, fixed(1, 20, 7)))
    assert digest(generator, 500) == "f1d4d2dd8d9c3d48"


def test_seed_decides_the_events() -> None:
    assert_deterministic(server(), server(seed=2))


def test_events_are_valid() -> None:
    assert_valid(server(ops=200 * SCALE, threads=3))


def test_slots_of_a_population_hold_its_sizes() -> None:
    events = events_of(server(ops=2000))
    allocations = events[events.op == Op.MALLOC]
    assert set(events.object.tolist()) == set(range(30))
    assert set(allocations.request[allocations.object < 10].tolist()) == {100}
    assert set(allocations.request[allocations.object >= 10].tolist()) == {7}


def test_steps_are_shared_by_weight() -> None:
    events = events_of(server(ops=2000))
    assert 0.87 < np.mean(events.object < 10) < 0.93


def test_one_population_has_the_events_of_random() -> None:
    events = assert_valid(Server(ops=300, population=(fixed(5, 7, 9),)))
    assert set(events.object.tolist()) == set(range(7))


def test_all_threads_are_used() -> None:
    assert set(events_of(server(threads=4)).thread.tolist()) == set(range(4))
    assert set(events_of(server()).thread.tolist()) == {0}


@pytest.mark.parametrize("ops", [1, 777])
def test_length_is_the_number_of_steps(ops: int) -> None:
    assert server(ops=ops).length() == ops == len(events_of(server(ops=ops)))


@pytest.mark.parametrize("ops", [1, CHUNK, CHUNK + 1])
def test_all_chunks_but_the_last_are_full(monkeypatch: pytest.MonkeyPatch, ops: int) -> None:
    monkeypatch.setattr("allocsim.generators.server.toggle", lambda *_: None)
    assert chunk_lengths(server(ops=ops)) == full_chunks(ops)


def test_too_many_slots_in_all_are_an_error() -> None:
    with pytest.raises(InputError, match=f"more than {MAX_OBJECTS} slots in all"):
        Server(population=(fixed(1, MAX_OBJECTS, 8), fixed(1, 1, 8)))


def test_a_billion_events_do_not_delay_the_first_chunk() -> None:
    assert len(next(server(ops=10**9).events())) == CHUNK
