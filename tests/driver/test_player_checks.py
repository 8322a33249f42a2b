"""Player: checks and fill patterns detect corruption, name the event, and are counted."""

import pytest

from allocsim import Heap
from allocsim.driver import Touch
from allocsim.errors import Corruption
from allocsim.generators.random import Random
from allocsim.generators.sizes import LogUniform
from allocsim.player import Options, Player, replay_trace
from allocsim.quantities import Size
from tests.conftest import SCALE
from tests.driving import free, malloc, random_calls, realloc, stream, stream_of
from tests.playing import QUIET, toggling, trace_of


def corrupt_free_list(heap: Heap) -> None:
    """Count one free object too many."""
    heap.state.free_list[0].length += 1


def test_check_every_finds_corruption_at_the_next_check(heap: Heap) -> None:
    played = Player(heap, Options(touch=Touch.NONE, check_every=10))
    played.replay_chunk(toggling(15))
    corrupt_free_list(heap)
    with pytest.raises(Corruption, match="after event 20: "):
        played.replay_chunk(toggling(25)[1:])


def test_check_every_also_checks_at_the_end(heap: Heap) -> None:
    played = Player(heap, Options(touch=Touch.NONE, check_every=10**9))
    played.replay_chunk(toggling(14))
    corrupt_free_list(heap)
    with pytest.raises(Corruption, match="after event 14: "):
        played.profile()


def test_valid_heap_passes_every_check(heap: Heap) -> None:
    events = stream_of(random_calls(8, 20 * SCALE))
    profile = replay_trace(heap, trace_of(events), Options(check_every=len(events) // 3))
    assert profile.events == len(events)


def test_only_the_first_of_many_violations_are_reported(
    heap: Heap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heap, "check", lambda: ["one", "two", "three", "four", "five"])
    with pytest.raises(Corruption, match=r"after event 5: one; two; three \(and 2 more\)"):
        replay_trace(heap, trace_of(toggling(9)), Options(check_every=5))


def test_sums_that_are_wrong_are_corruption_without_any_check(heap: Heap) -> None:
    played = Player(heap, QUIET)
    played.replay_chunk(toggling(5))
    heap.state.system[0].heap += 4096
    with pytest.raises(Corruption, match="the parts do not sum to the heap"):
        played.profile()


def test_verify_finds_an_overwritten_pattern_at_a_free(heap: Heap) -> None:
    played = Player(heap, Options(verify=True))
    played.replay_chunk(stream(malloc(0, 10), malloc(1, 10)))
    address = int(played._run.objects[1].address)
    heap.memory.view(address + 9, 1)[0] ^= 1
    with pytest.raises(
        Corruption,
        match=r"event 4 .object 1, thread 0, [1-9][0-9]* bytes.*fill pattern was overwritten",
    ):
        played.replay_chunk(stream(free(0), free(1)))


def test_verify_finds_an_overwritten_pattern_at_a_realloc(heap: Heap) -> None:
    played = Player(heap, Options(verify=True))
    played.replay_chunk(stream(malloc(0, 10)))
    heap.memory.view(int(played._run.objects[0].address), 1)[0] ^= 1
    with pytest.raises(Corruption, match=r"event 2 .*fill pattern was overwritten"):
        played.replay_chunk(stream(realloc(0, 20)))


def test_verify_finds_an_overwritten_pattern_at_the_end(heap: Heap) -> None:
    played = Player(heap, Options(verify=True))
    played.replay_chunk(stream(malloc(0, 10), malloc(1, 10), free(0)))
    heap.memory.view(int(played._run.objects[1].address), 1)[0] ^= 1
    with pytest.raises(Corruption, match=r"at the end, object 1: .*fill pattern was overwritten"):
        played.profile()


def test_intact_patterns_and_passed_checks_are_counted(heap: Heap) -> None:
    calls = malloc(0, 10), malloc(1, 10), realloc(0, 20), free(0), malloc(2, 10)
    profile = replay_trace(heap, trace_of(stream(*calls)), Options(verify=True, check_every=2))
    resized, freed, left = 2, 1, 2
    assert profile.stamps == resized + freed + left
    assert profile.checks == 3  # after 2 and 4 events, and at the end


def test_without_verification_nothing_counts_as_verified(heap: Heap) -> None:
    profile = replay_trace(heap, trace_of(stream(malloc(0, 10), free(0))), QUIET)
    assert (profile.stamps, profile.checks) == (0, 0)


def test_verify_finds_a_fresh_object_that_is_not_zero(heap: Heap) -> None:
    played = Player(heap, Options(verify=True))
    played.replay_chunk(stream(malloc(0, 100), free(0)))
    head = int(heap.state.free_list[0].head[heap.state.free_list[0].head != 0][0])
    heap.memory.view(head + 50, 1)[0] = 1
    with pytest.raises(Corruption, match=r"event 3 .*the new object is not all zeros"):
        played.replay_chunk(stream(malloc(1, 100)))


def test_failed_free_of_a_live_object_is_corruption(heap: Heap) -> None:
    played = Player(heap, QUIET)
    played.replay_chunk(stream(malloc(0, 100)))
    played._run.objects[0].address = 12345
    with pytest.raises(Corruption, match=r"event 2 .*free failed for an object"):
        played.replay_chunk(stream(free(0)))


@pytest.mark.parametrize("seed", range(2))
def test_random_workload_is_verified_to_the_end(heap: Heap, seed: int) -> None:
    law = LogUniform(max=Size(2000))
    trace = Random(ops=100 * SCALE, slots=30, threads=3, seed=seed, size=law).trace("random")
    profile = replay_trace(heap, trace, Options(verify=True, check_every=50 * SCALE))
    assert profile.events == 100 * SCALE
