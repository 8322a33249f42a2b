"""A replay without a limit stops before it uses more than its share of the available memory."""

import dataclasses
from collections.abc import Iterator

import pytest

from allocsim import Heap
from allocsim.designs import SUMMARIES
from allocsim.driver import Touch
from allocsim.errors import LimitExceeded, OutOfMemory
from allocsim.player import Options, Player, replay_trace
from tests.driving import Call, free, malloc, realloc, stream
from tests.playing import trace_of

MIB = 1 << 20
AVAILABLE = 64 * MIB
SCARCE = Options(available=lambda: AVAILABLE)
HUGE = 64 << 30


@pytest.fixture(params=SUMMARIES)
def heap(request: pytest.FixtureRequest) -> Iterator[Heap]:
    """A heap of each design, with enough address space for the huge object."""
    with Heap(request.param, reserve=HUGE << 1) as heap:
        yield heap


def ended(heap: Heap, options: Options, *calls: Call) -> str:
    """Return the error of a replay; require that the heap has used no more than is available."""
    with pytest.raises(OutOfMemory) as error:
        replay_trace(heap, trace_of(stream(*calls)), options)
    assert heap.resident() <= AVAILABLE
    assert error.value.exit_status == 3
    return str(error.value)


def test_huge_object_is_refused_before_it_is_written(heap: Heap) -> None:
    text = ended(heap, SCARCE, malloc(0, HUGE))
    assert text.startswith(
        "event 1 (object 0, thread 0, 68,719,476,736 bytes) needs more than the "
    )
    assert "48.0 MiB that a run may use, 75% of the available memory; use --limit" in text


def test_object_between_the_two_shares_is_not_written(heap: Heap) -> None:
    text = ended(heap, SCARCE, malloc(0, 50 * MIB))
    assert "after 1 event, is more than the 48.0 MiB" in text
    assert heap.resident() < 4 * MIB


def test_realloc_does_not_copy_more_than_is_available(heap: Heap) -> None:
    ended(heap, SCARCE, malloc(0, 40 * MIB), realloc(0, 41 * MIB))


@pytest.mark.parametrize("touch", Touch)
def test_many_objects_end_the_run_whatever_is_written(heap: Heap, touch: Touch) -> None:
    calls = [malloc(number, MIB) for number in range(64)]
    text = ended(heap, dataclasses.replace(SCARCE, touch=touch), *calls)
    assert "is more than the 48.0 MiB" in text


def test_freed_objects_do_not_end_the_run(heap: Heap) -> None:
    calls = [call for number in range(64) for call in (malloc(number, MIB), free(number))]
    assert replay_trace(heap, trace_of(stream(*calls)), SCARCE).at_end.footprint < AVAILABLE


def test_limit_of_the_user_replaces_the_bound(heap: Heap) -> None:
    calls = [malloc(number, MIB) for number in range(60)]
    profile = replay_trace(
        heap, trace_of(stream(*calls)), dataclasses.replace(SCARCE, limit=1 << 30)
    )
    assert profile.peak_live == 60 * MIB


def test_huge_object_above_the_limit_of_the_user_is_not_written(heap: Heap) -> None:
    with pytest.raises(LimitExceeded, match=r"^event 1 .* exceeds the limit of 64\.0 MiB"):
        replay_trace(heap, trace_of(stream(malloc(0, HUGE))), Options(limit=AVAILABLE))
    assert heap.resident() < 4 * MIB


def test_memory_that_runs_short_ends_a_run_that_has_much() -> None:
    left = iter([AVAILABLE, AVAILABLE // 9])
    with Heap() as heap:
        played = Player(heap, Options(available=lambda: next(left)))
        played._bound._next_reading = 0.0
        with pytest.raises(OutOfMemory, match="memory runs short"):
            played.replay_chunk(stream(malloc(0, 20 * MIB)))
