"""The workload `sweep`: every size in turn; some objects of a size are live at once."""

import pytest

from allocsim.errors import InputError
from allocsim.events import CHUNK, Op
from allocsim.generators.sweep import Sweep
from allocsim.quantities import Size
from tests.generators.streams import assert_valid, chunk_lengths, digest, events_of


def sweep(first: int, last: int, step: int, objects: int = 2, rounds: int = 1) -> Sweep:
    return Sweep(
        first=Size(first), last=Size(last), step=Size(step), objects=objects, rounds=rounds
    )


def test_stream_never_changes() -> None:
    assert digest(Sweep(), 500) == "fa41adcb59037ed4"


def test_objects_of_a_size_are_live_at_once() -> None:
    events = events_of(sweep(8, 24, 16))
    malloc, free = Op.MALLOC, Op.FREE
    assert events.op.tolist() == [malloc, malloc, free, free] * 2
    assert events.request.tolist() == [8, 8, 0, 0, 24, 24, 0, 0]
    assert events.object.tolist() == [0, 1, 0, 1] * 2


@pytest.mark.parametrize(
    ("first", "last", "step", "sizes"),
    [
        (0, 0, 1, [0]),
        (5, 5, 100, [5]),
        (1, 4, 1, [1, 2, 3, 4]),
        (8, 31, 8, [8, 16, 24]),
        (8, 32, 8, [8, 16, 24, 32]),
        (0, 1 << 47, 1 << 46, [0, 1 << 46, 1 << 47]),
        (1 << 47, 1 << 47, 1 << 47, [1 << 47]),
    ],
)
def test_sizes_go_from_first_to_last(first: int, last: int, step: int, sizes: list[int]) -> None:
    generator = sweep(first, last, step, objects=1)
    assert events_of(generator).request[::2].tolist() == sizes
    assert generator.length() == 2 * len(sizes)


def test_rounds_repeat_the_sweep() -> None:
    once, thrice = events_of(sweep(8, 64, 8)), events_of(sweep(8, 64, 8, rounds=3))
    assert (thrice.reshape(3, -1) == once).all()


@pytest.mark.parametrize("objects", [1, 3, 1000])
def test_events_are_valid_and_as_many_as_the_length_says(objects: int) -> None:
    generator = sweep(1, 40, 13, objects, rounds=2)
    assert len(assert_valid(generator)) == generator.length() == 2 * objects * 4 * 2


def test_default_length_is_right() -> None:
    assert len(events_of(Sweep())) == Sweep().length() == 8 * 4128


def test_chunk_has_as_many_whole_sizes_as_fit() -> None:
    together = CHUNK // 6
    lengths = chunk_lengths(sweep(1, 2 * together + 5, 1, objects=3))
    assert lengths == [6 * together, 6 * together, 6 * 5]


def test_chunk_of_many_objects_is_one_size() -> None:
    assert chunk_lengths(sweep(1, 3, 1, objects=CHUNK)) == [2 * CHUNK] * 3


@pytest.mark.parametrize(("first", "last", "step"), [(-1, 5, 1), (6, 5, 1), (1, 5, 0), (1, 5, -1)])
def test_bad_bounds_are_an_error(first: int, last: int, step: int) -> None:
    with pytest.raises(InputError, match=f"first = {first}, last = {last}, step = {step}: expect"):
        sweep(first, last, step)


def test_too_many_objects_are_an_error() -> None:
    with pytest.raises(InputError, match=r"objects = 16777217: expected 1 to 16777216"):
        sweep(1, 2, 1, objects=(1 << 24) + 1)


def test_a_billion_events_do_not_delay_the_first_chunk() -> None:
    generator = Sweep(rounds=10**9 // 33024)
    assert len(next(generator.events())) == CHUNK
