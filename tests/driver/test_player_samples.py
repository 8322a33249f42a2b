"""Player: evenly spaced samples and one at the end; at most 2000 unless an interval is given."""

import numpy as np
import pytest

from allocsim import Heap, player
from allocsim.core.jit import PURE
from allocsim.core.records import PARTS
from allocsim.driver import Touch
from allocsim.events import Op
from allocsim.player import SAMPLES, Options, Player, replay_trace
from tests.conftest import SCALE
from tests.driving import Call, free, malloc, random_calls, stream, stream_of
from tests.playing import QUIET, cut, toggling, trace_of


def sampled(heap: Heap, count: int, length: int | None, options: Options = QUIET) -> list[int]:
    """The events after which samples were taken."""
    profile = replay_trace(heap, trace_of(*cut(toggling(count), 10_000), length=length), options)
    assert profile.events == count
    return profile.samples["event"].tolist()


FEW = [1, 2, 3, 7, 500]
MANY = [1999, 2000, 2001, 3999, 4000, 4001, 6001, 32_005, 100_003]


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False], ids=["length known", "length unknown"])
@pytest.mark.parametrize("count", FEW if PURE else FEW + MANY)
def test_samples_are_at_most_2000_even_and_end_at_the_end(
    heap: Heap, count: int, known: bool
) -> None:
    events = sampled(heap, count, count if known else None)
    assert len(events) <= SAMPLES
    assert events[-1] == count
    steps = set(np.diff([0, *events[:-1]]).tolist())
    assert len(steps) <= 1
    assert len(events) > min(count // 16, SAMPLES // 2) / 2


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 50, 10**9, 10**18, 1 << 80], ids=str)
def test_wrong_or_huge_length_does_no_harm(heap: Heap, length: int) -> None:
    events = sampled(heap, 200, length)
    assert events[-1] == 200
    assert events == sorted(set(events))


@pytest.mark.parametrize("count", [*range(155, 166), 200 * SCALE])
def test_few_samples_may_be_many_events_apart(
    heap: Heap, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The samples stay evenly spaced when they are thinned repeatedly."""
    monkeypatch.setattr(player, "SAMPLES", 10)
    monkeypatch.setattr(player, "BUFFER", 8)
    events = sampled(heap, count, None)
    assert len(events) <= 10
    assert events[-1] == count
    assert len(set(np.diff([0, *events[:-1]]).tolist())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 2, 3, 7, 100, 10**15])
@pytest.mark.parametrize("chunk", [1, 10, 64])
def test_every_samples_exactly(heap: Heap, every: int, chunk: int) -> None:
    count = 100
    trace = trace_of(*cut(toggling(count), chunk))
    profile = replay_trace(heap, trace, Options(touch=Touch.NONE, every=every))
    expected = [*range(every, count + 1, every)]
    if not expected or expected[-1] != count:
        expected.append(count)
    assert profile.samples["event"].tolist() == expected


def test_every_keeps_more_than_the_buffer_holds(
    heap: Heap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "BUFFER", 8)
    events = sampled(heap, 100, None, Options(touch=Touch.NONE, every=1))
    assert events == [*range(1, 101)]


@pytest.mark.slow
@pytest.mark.parametrize("check", [1, 7, 8, 16, 24])
@pytest.mark.parametrize("every", [1, 2, None])
def test_samples_and_checks_do_not_disturb_each_other(
    heap: Heap, monkeypatch: pytest.MonkeyPatch, check: int, every: int | None
) -> None:
    """In some cases, a check is due at the event that fills the buffer of samples."""
    monkeypatch.setattr(player, "BUFFER", 8)
    checked: list[int] = []
    played = Player(heap, Options(touch=Touch.NONE, every=every, check_every=check), length=2000)
    monkeypatch.setattr(heap, "check", lambda: checked.append(played.events))
    played.replay_chunk(toggling(101))
    profile = played.profile()
    step = every or 1
    assert profile.samples["event"].tolist() == [*range(step, 101, step), 101]
    assert checked == [*range(check, 102, check), 101]


def test_check_that_is_due_when_the_buffer_fills_is_not_lost(
    heap: Heap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "BUFFER", 2)
    checked: list[int] = []
    playing = Player(heap, Options(every=1, check_every=2))
    monkeypatch.setattr(heap, "check", lambda: checked.append(playing.events))
    playing.replay_chunk(stream_of(malloc(number, 8) for number in range(7)))
    assert checked == [2, 4, 6]
    assert playing.profile().samples["event"].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_samples_grow_with_the_heap(heap: Heap) -> None:
    profile = replay_trace(
        heap, trace_of(stream(*(malloc(i, 5000) for i in range(20)))), Options(every=1)
    )
    assert profile.samples["live"].tolist() == [5000 * (i + 1) for i in range(20)]


def test_parts_sum_to_the_heap_in_every_sample(heap: Heap) -> None:
    events = stream_of(random_calls(1, 150 * SCALE, threads=3))
    samples = replay_trace(heap, trace_of(events), Options(every=1)).samples
    assert len(samples) == len(events)
    assert (np.sum([samples[part] for part in PARTS], axis=0) == samples["heap"]).all()
    footprint = samples["heap"] - samples["released"] + samples["metadata"]
    assert (footprint == samples["footprint"]).all()


def test_notes_are_no_events(heap: Heap) -> None:
    events = stream(malloc(0, 10), Call(Op.THREAD_DONE), Call(Op.FREEZE), free(0))
    profile = replay_trace(heap, trace_of(events), Options(every=1))
    assert profile.events == 2
    assert profile.samples["event"].tolist() == [1, 2]
