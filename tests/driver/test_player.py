"""Player: the profile of a trace, whatever the lengths of the object table and of the chunks."""

import pytest

from allocsim import Heap, player
from allocsim.driver import Touch
from allocsim.player import Options, Player, replay_trace
from allocsim.profile import Profile
from tests.conftest import SCALE
from tests.driving import free, live_after, malloc, random_calls, realloc, stream, stream_of
from tests.playing import QUIET, cut, toggling, trace_of


@pytest.mark.parametrize("seed", range(3))
def test_live_bytes_are_those_of_the_program(heap: Heap, seed: int) -> None:
    calls = random_calls(seed, 100 * SCALE)
    profile = replay_trace(heap, trace_of(stream_of(calls)), Options(every=1))
    live = live_after(calls)
    assert profile.samples["live"].tolist() == live
    assert profile.peak_live == max(live)
    assert profile.at_end.live == live[-1]


def test_peak_is_the_first_sample_with_the_largest_footprint(heap: Heap) -> None:
    events = stream_of(random_calls(5, 100 * SCALE))
    profile = replay_trace(heap, trace_of(events), Options(every=1))
    largest = int(profile.samples["footprint"].argmax())
    assert profile.at_peak.event == largest + 1
    assert profile.at_peak.footprint == profile.samples["footprint"][largest]


def test_profile_is_the_same_however_the_stream_is_cut() -> None:
    events = stream_of(random_calls(6, 100 * SCALE, threads=2))
    profiles = list[Profile]()
    for length in (1, 7, len(events)):
        with Heap(reserve=1 << 30) as heap:
            profiles.append(replay_trace(heap, trace_of(*cut(events, length)), Options(every=10)))
    for profile in profiles[1:]:
        assert profile.samples.tolist() == profiles[0].samples.tolist()
        assert (profile.at_peak, profile.at_end) == (profiles[0].at_peak, profiles[0].at_end)
        assert profile.classes == profiles[0].classes


def test_no_events_make_a_profile(heap: Heap) -> None:
    profile = replay_trace(heap, trace_of(), QUIET)
    assert (profile.events, profile.peak_live, profile.at_end.live) == (0, 0, 0)
    assert profile.samples["event"].tolist() == [0]
    assert (profile.ns_per_event, profile.events_per_second) == (0.0, 0.0)


def test_time_counts_only_in_the_kernel(heap: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(player.time, "perf_counter", lambda: float(next(clock)))
    played = Player(heap, QUIET)
    for chunk in cut(toggling(10), 5):
        played.replay_chunk(chunk)
        next(clock)  # a second goes by between two chunks
    assert played.seconds == 2.0


@pytest.mark.parametrize("number", [4095, 4096, 8191, 8192, 1_000_000])
def test_table_of_objects_grows(heap: Heap, number: int) -> None:
    events = stream(malloc(0, 10), malloc(number, 20), free(0), free(number))
    profile = replay_trace(heap, trace_of(events), QUIET)
    assert (profile.events, profile.peak_live, profile.at_end.live) == (4, 30, 0)


def test_table_that_grows_keeps_what_is_live(heap: Heap) -> None:
    numbers = [0, 5000, 3, 20_000, 70_000]
    calls = [malloc(n, 10 + n % 7) for n in numbers] + [realloc(3, 99)] + [free(n) for n in numbers]
    profile = replay_trace(heap, trace_of(stream(*calls)), Options(verify=True))
    assert profile.at_end.live == 0


def test_watch_is_called_after_each_chunk(heap: Heap) -> None:
    seen: list[int] = []
    replay_trace(
        heap, trace_of(*cut(toggling(25), 10)), QUIET, lambda watched: seen.append(watched.events)
    )
    assert seen == [10, 20, 25]


@pytest.mark.parametrize("touch", Touch)
def test_touch_decides_what_is_resident(heap: Heap, touch: Touch) -> None:
    profile = replay_trace(heap, trace_of(stream(malloc(0, 1 << 20))), Options(touch=touch))
    pages = profile.resident // 4096
    if touch >= Touch.PAGE:
        assert 256 <= pages <= 260
    else:
        assert pages <= 4
