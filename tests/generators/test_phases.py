"""The workload `phases`: allocate, then free the oldest, the newest, or random objects."""

import pytest

from allocsim.errors import InputError
from allocsim.events import CHUNK, Op
from allocsim.generators import phases
from allocsim.generators.phases import Phase, Phases
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

EIGHT = Fixed(bytes=Size(8))


def phase(allocate: int, free: float = 0.0, order: str = "random", size: int = 8) -> Phase:
    return Phase(allocate=allocate, size=Fixed(bytes=Size(size)), free=free, order=order)  # type: ignore[arg-type]


def freed(*given: Phase, rounds: int = 1) -> list[int]:
    """The numbers of the objects that are freed, in order."""
    events = assert_valid(Phases(phase=given, rounds=rounds))
    return events.object[events.op == Op.FREE].tolist()


def test_stream_of_seed_1_never_changes() -> None:
    mixed = Phase(allocate=200, size=LogUniform(max=Size(5000)), free=0.6)
    assert (
        digest(Phases(rounds=2, phase=(mixed, phase(20, 0.5, "oldest"))), 600) == "95e04a03f73fd644"
    )


def test_seed_decides_the_events() -> None:
    given = (phase(50, 0.5),)
    assert_deterministic(Phases(phase=given), Phases(phase=given, seed=2))


def test_oldest_are_freed_in_order_of_age() -> None:
    assert freed(phase(5, 0.6, "oldest")) == [0, 1, 2]


def test_newest_are_freed_the_newest_first() -> None:
    assert freed(phase(5, 0.6, "newest")) == [4, 3, 2]


def test_all_are_freed() -> None:
    assert sorted(freed(phase(50, 1.0))) == list(range(50))
    assert freed(phase(50, 1.0)) != list(range(50))


def test_none_are_freed() -> None:
    assert freed(phase(5)) == []


def test_share_is_of_all_that_are_live() -> None:
    assert freed(phase(4), phase(4, 0.5, "oldest")) == [0, 1, 2, 3]
    assert freed(phase(4), Phase(free=1.0, order="newest")) == [3, 2, 1, 0]


def test_ids_of_freed_objects_are_reused() -> None:
    events = assert_valid(Phases(phase=(phase(10, 1.0),), rounds=5 * SCALE))
    assert set(events.object.tolist()) == set(range(10))


def test_age_is_that_of_the_object_and_not_of_its_id() -> None:
    assert freed(phase(2), Phase(free=0.5, order="oldest"), phase(1), Phase(free=0.5)) != []
    events = events_of(
        Phases(phase=(phase(2), Phase(free=0.5, order="oldest"), phase(1, 0.5, "oldest")))
    )
    assert events.object.tolist() == [0, 1, 0, 0, 1]


@pytest.mark.parametrize("order", ["random", "oldest", "newest"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99, 1.0])
def test_events_are_valid(order: str, share: float) -> None:
    given = (phase(7 * SCALE, share, order), phase(20, share / 2, order), Phase(free=0.1))
    assert_valid(Phases(phase=given, rounds=3))


def test_sizes_are_those_of_the_phase() -> None:
    events = events_of(Phases(phase=(phase(3, size=10), phase(2, size=20))))
    assert events.request.tolist() == [10, 10, 10, 20, 20]


def test_length_is_not_known() -> None:
    assert Phases(phase=(phase(3),)).length() is None


def test_all_chunks_but_the_last_of_each_half_phase_are_full() -> None:
    count = CHUNK + 10
    assert chunk_lengths(Phases(phase=(phase(count, 1.0),))) == 2 * full_chunks(count)


def test_phase_that_allocates_needs_a_size() -> None:
    with pytest.raises(InputError, match="phase 2 allocates objects, but it has no size"):
        Phases(phase=(phase(1), Phase(allocate=1)))


def test_too_many_live_objects_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "MAX_LIVE", 100)
    assert len(events_of(Phases(phase=(phase(50),), rounds=2))) == 100
    with pytest.raises(InputError, match="more than 100 objects would be live at once"):
        events_of(Phases(phase=(phase(51),), rounds=2))


def test_a_billion_events_do_not_delay_the_first_chunk() -> None:
    generator = Phases(phase=(Phase(allocate=1_000_000, size=EIGHT, free=1.0),), rounds=500)
    assert len(next(generator.events())) == CHUNK
