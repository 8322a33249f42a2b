"""The workload `repeat`: every size once a round, frozen after the first."""

from itertools import islice

import numpy as np
import pytest

from allocsim.errors import InputError
from allocsim.events import CHUNK, Op
from allocsim.generators.repeat import Repeat
from allocsim.quantities import Size
from tests.conftest import SCALE
from tests.generators.streams import assert_valid, chunk_lengths, digest, events_of


def sized(*sizes: int, rounds: int = 3) -> Repeat:
    return Repeat(rounds=rounds, sizes=tuple(Size(size) for size in sizes))


def test_stream_never_changes() -> None:
    assert digest(Repeat(), 500) == "ccc736a756fceb40"


def test_round_allocates_and_frees_each_size_in_turn() -> None:
    events = events_of(sized(5, 0, 70_000, rounds=1))
    malloc, free = Op.MALLOC, Op.FREE
    assert events.op.tolist() == [malloc, free, malloc, free, malloc, free, Op.FREEZE]
    assert events.request.tolist() == [5, 0, 0, 0, 70_000, 0, 0]
    assert set(events.object.tolist()) == set(events.thread.tolist()) == {0}


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_freeze_note_comes_once_and_after_the_first_round(rounds: int) -> None:
    events = events_of(sized(5, 6, rounds=rounds))
    assert np.flatnonzero(events.op == Op.FREEZE).tolist() == [4]
    assert len(events) == 4 * rounds + 1


def test_all_rounds_are_the_same() -> None:
    events = events_of(sized(1, 2, 3, rounds=4))
    rounds = events[events.op != Op.FREEZE].reshape(4, 6)
    assert (rounds == rounds[0]).all()


def test_default_sizes_are_the_powers_of_two_to_4_mib() -> None:
    requests = events_of(Repeat(rounds=1)).request
    assert requests[:-1:2].tolist() == [1 << power for power in range(23)]
    assert Repeat().rounds == 1024


def test_events_are_valid() -> None:
    assert_valid(Repeat(rounds=5 * SCALE))


@pytest.mark.parametrize("rounds", [1, 2, 700, 713, 1000])
def test_length_counts_events_and_no_note(rounds: int) -> None:
    generator = Repeat(rounds=rounds)
    assert generator.length() == 46 * rounds == len(events_of(generator)) - 1


def test_chunk_has_as_many_whole_rounds_as_fit() -> None:
    together = CHUNK // 46
    lengths = chunk_lengths(Repeat(rounds=2 * together + 4))
    assert lengths == [46, 1, 46 * together, 46 * together, 46 * 3]


def test_round_that_is_longer_than_a_chunk_is_a_chunk() -> None:
    sizes = [1] * CHUNK
    assert chunk_lengths(sized(*sizes, rounds=3)) == [2 * CHUNK, 1, 2 * CHUNK, 2 * CHUNK]


def test_negative_size_is_an_error() -> None:
    with pytest.raises(InputError, match="sizes = -5: expected 0 or more"):
        sized(1, -5)


def test_a_billion_events_do_not_delay_the_first_chunks() -> None:
    generator = Repeat(rounds=10**9 // 46)
    first, note, full = (len(chunk) for chunk in islice(generator.events(), 3))
    assert (first, note) == (46, 1)
    assert CHUNK - 46 < full <= CHUNK
