"""Playing: samples, checks, tables that grow, and errors that name their event."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim import Heap, player
from allocsim.core import operations
from allocsim.core.jit import PURE
from allocsim.core.records import PARTS
from allocsim.errors import (
    Corruption,
    EnvironmentLacks,
    HeapFrozen,
    InputError,
    Interrupted,
    LimitExceeded,
    OutOfMemory,
)
from allocsim.events import Op, Trace, no_events
from allocsim.generators.random import Random
from allocsim.generators.repeat import Repeat
from allocsim.generators.sizes import LogUniform
from allocsim.player import SAMPLES, Options, Player, play
from allocsim.profile import Profile
from allocsim.quantities import Size
from allocsim.replay import Touch
from allocsim.traces import open_trace
from tests.conftest import SCALE
from tests.driving import Call, free, malloc, random_calls, realloc, stream, stream_of

QUIET = Options(touch=Touch.NONE)


def trace_of(*chunks: Any, length: int | None = None) -> Trace:
    """A trace of chunks of events."""
    return Trace("test", iter(chunks), {"kind": "test"}, length)


def cut(events: Any, length: int) -> Iterator[Any]:
    """Events in chunks of a length."""
    return (events[start : start + length] for start in range(0, len(events), length))


def toggling(count: int) -> Any:
    """One object that comes and goes: `count` events of one footprint."""
    events = no_events(count)
    events.op[1::2] = Op.FREE
    events.request[0::2] = 8
    return events


def sampled(heap: Heap, count: int, length: int | None, options: Options = QUIET) -> list[int]:
    """The events after which samples were taken."""
    profile = play(heap, trace_of(*cut(toggling(count), 10_000), length=length), options)
    assert profile.events == count
    return profile.samples["event"].tolist()


FEW = [1, 2, 3, 7, 500]
MANY = [1999, 2000, 2001, 3999, 4000, 4001, 6001, 32_005, 100_003]


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


@pytest.mark.parametrize("length", [1, 50, 10**9, 10**18, 1 << 80], ids=str)
def test_wrong_or_huge_length_does_no_harm(heap: Heap, length: int) -> None:
    events = sampled(heap, 200, length)
    assert events[-1] == 200
    assert events == sorted(set(events))


@pytest.mark.parametrize("count", [*range(155, 166), 200 * SCALE])
def test_few_samples_may_be_many_events_apart(
    heap: Heap, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Thinned again and again, what is kept stays even."""
    monkeypatch.setattr(player, "SAMPLES", 10)
    monkeypatch.setattr(player, "BUFFER", 8)
    events = sampled(heap, count, None)
    assert len(events) <= 10
    assert events[-1] == count
    assert len(set(np.diff([0, *events[:-1]]).tolist())) == 1


@pytest.mark.parametrize("every", [1, 2, 3, 7, 100, 10**15])
@pytest.mark.parametrize("chunk", [1, 10, 64])
def test_every_samples_exactly(heap: Heap, every: int, chunk: int) -> None:
    count = 100
    trace = trace_of(*cut(toggling(count), chunk))
    profile = play(heap, trace, Options(touch=Touch.NONE, every=every))
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


@pytest.mark.parametrize("check", [1, 7, 8, 16, 24])
@pytest.mark.parametrize("every", [1, 2, None])
def test_samples_and_checks_do_not_disturb_each_other(
    heap: Heap, monkeypatch: pytest.MonkeyPatch, check: int, every: int | None
) -> None:
    """Also where a check is due at the event that fills the buffer of samples."""
    monkeypatch.setattr(player, "BUFFER", 8)
    checked: list[int] = []
    played = Player(heap, Options(touch=Touch.NONE, every=every, check_every=check), length=2000)
    monkeypatch.setattr(heap, "check", lambda: checked.append(played.events) or [])
    played.play(toggling(101))
    profile = played.profile()
    step = every or 1
    assert profile.samples["event"].tolist() == [*range(step, 101, step), 101]
    assert checked == [*range(check, 102, check), 101]


def test_samples_grow_with_the_heap(heap: Heap) -> None:
    profile = play(heap, trace_of(stream(*(malloc(i, 5000) for i in range(20)))), Options(every=1))
    assert profile.samples["live"].tolist() == [5000 * (i + 1) for i in range(20)]


def test_parts_sum_to_the_heap_in_every_sample(heap: Heap) -> None:
    events = stream_of(random_calls(1, 150 * SCALE, threads=3))
    samples = play(heap, trace_of(events), Options(every=1)).samples
    assert len(samples) == len(events)
    assert (sum(samples[part] for part in PARTS) == samples["heap"]).all()
    footprint = samples["heap"] - samples["released"] + samples["metadata"]
    assert (footprint == samples["footprint"]).all()


def live_of(calls: list[Call]) -> list[int]:
    """Bytes that are live after each call."""
    live, total, rows = dict[int, int](), 0, []
    for call in calls:
        total -= live.pop(call.object, 0)
        if call.op != Op.FREE:
            live[call.object] = call.request
            total += call.request
        rows.append(total)
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_live_bytes_are_those_of_the_program(heap: Heap, seed: int) -> None:
    calls = random_calls(seed, 100 * SCALE)
    profile = play(heap, trace_of(stream_of(calls)), Options(every=1))
    live = live_of(calls)
    assert profile.samples["live"].tolist() == live
    assert profile.peak_live == max(live)
    assert profile.at_end.live == live[-1]


def test_peak_is_the_first_sample_with_the_largest_footprint(heap: Heap) -> None:
    events = stream_of(random_calls(5, 100 * SCALE))
    profile = play(heap, trace_of(events), Options(every=1))
    largest = int(profile.samples["footprint"].argmax())
    assert profile.at_peak.event == largest + 1
    assert profile.at_peak.footprint == profile.samples["footprint"][largest]


def test_profile_is_the_same_however_the_stream_is_cut() -> None:
    events = stream_of(random_calls(6, 100 * SCALE, threads=2))
    profiles = list[Profile]()
    for length in (1, 7, len(events)):
        with Heap(reserve=1 << 30) as heap:
            profiles.append(play(heap, trace_of(*cut(events, length)), Options(every=10)))
    for profile in profiles[1:]:
        assert profile.samples.tolist() == profiles[0].samples.tolist()
        assert (profile.at_peak, profile.at_end) == (profiles[0].at_peak, profiles[0].at_end)
        assert profile.classes == profiles[0].classes


def test_no_events_make_a_profile(heap: Heap) -> None:
    profile = play(heap, trace_of(), QUIET)
    assert (profile.events, profile.peak_live, profile.at_end.live) == (0, 0, 0)
    assert profile.samples["event"].tolist() == [0]
    assert (profile.ns_per_event, profile.events_per_second) == (0.0, 0.0)


def test_time_counts_only_in_the_kernel(heap: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(player.time, "perf_counter", lambda: float(next(clock)))
    played = Player(heap, QUIET)
    for chunk in cut(toggling(10), 5):
        played.play(chunk)
        next(clock)  # a second goes by between two chunks
    assert played.seconds == 2.0


@pytest.mark.parametrize("number", [4095, 4096, 8191, 8192, 1_000_000])
def test_table_of_objects_grows(heap: Heap, number: int) -> None:
    events = stream(malloc(0, 10), malloc(number, 20), free(0), free(number))
    profile = play(heap, trace_of(events), QUIET)
    assert (profile.events, profile.peak_live, profile.at_end.live) == (4, 30, 0)


def test_table_that_grows_keeps_what_is_live(heap: Heap) -> None:
    numbers = [0, 5000, 3, 20_000, 70_000]
    calls = [malloc(n, 10 + n % 7) for n in numbers] + [realloc(3, 99)] + [free(n) for n in numbers]
    profile = play(heap, trace_of(stream(*calls)), Options(verify=True))
    assert profile.at_end.live == 0


@pytest.mark.parametrize("number", [1 << 31, (1 << 32) - 1])
def test_object_beyond_all_is_an_error(heap: Heap, number: int) -> None:
    with pytest.raises(InputError, match=rf"event 2 names object {number}: there are 2\*\*31"):
        play(heap, trace_of(stream(malloc(0, 1), malloc(number, 1))), QUIET)


BAD = {
    "free of what is dead": (free(1), "event 3 .object 1, thread 0, 0 bytes. frees what is not"),
    "malloc of what lives": (malloc(0, 5), "event 3 .object 0, thread 0, 5 bytes. frees what"),
    "realloc of what is dead": (realloc(1, 5), "event 3 .object 1, thread 0, 5 bytes. frees what"),
    "calloc of what lives": (Call(Op.CALLOC, 0, 5, 1), "event 3 .object 0, thread 1, 5 bytes."),
    "memalign of what lives": (Call(Op.MEMALIGN, 0, 5, 0, 4), "event 3 .object 0"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_event_is_an_error_that_names_it(heap: Heap, call: Call, message: str) -> None:
    events = stream(malloc(0, 10), Call(Op.THREAD_DONE), malloc(7, 10), call)
    with pytest.raises(InputError, match=message):
        play(heap, trace_of(events[:1], events[1:]), QUIET)


def test_limit_is_an_error_that_says_when(heap: Heap) -> None:
    events = stream(malloc(0, 10), malloc(1, 9 << 20), malloc(2, 10))
    with pytest.raises(LimitExceeded, match=r"the limit of 8\.0 MiB after 2 events"):
        play(heap, trace_of(events), Options(limit=8 << 20))


def test_limit_that_is_just_kept_is_no_error(heap: Heap) -> None:
    events = stream(malloc(0, 10), malloc(1, 3 << 20))
    peak = play(heap, trace_of(events), QUIET).at_peak.footprint
    for limit, fails in ((peak, False), (peak - 1, True)):
        with Heap(reserve=1 << 30) as fresh:
            played = Player(fresh, Options(limit=limit))
            if fails:
                with pytest.raises(LimitExceeded):
                    played.play(events)
            else:
                played.play(events)


def test_frozen_heap_that_must_grow_is_an_error(heap: Heap) -> None:
    events = stream(malloc(0, 10), Call(Op.FREEZE), malloc(1, 5 << 20))
    message = r"event 2 .object 1, thread 0, 5242880 bytes. needs more memory, and the heap is froz"
    with pytest.raises(HeapFrozen, match=message):
        play(heap, trace_of(events), QUIET)


def test_frozen_heap_that_reuses_its_memory_is_none(heap: Heap) -> None:
    rounds = 3
    profile = play(heap, Repeat(rounds=rounds).trace("repeat"), Options(verify=PURE is False))
    assert profile.events == 46 * rounds


def test_repeat_that_grows_in_a_later_round_fails(heap: Heap) -> None:
    once = Repeat(rounds=1, sizes=(Size(100),))
    larger = stream(malloc(0, 2 << 20), free(0))
    with pytest.raises(HeapFrozen, match="event 3 "):
        play(heap, trace_of(*(c.copy() for c in once.events()), larger), QUIET)


def test_reservation_that_is_used_up_is_an_error(small_heap: Heap) -> None:
    events = stream(*(malloc(i, 1 << 20) for i in range(9)))
    message = r"event \d .object \d, thread 0, 1048576 bytes. does not fit in the 4.0 MiB of addr"
    with pytest.raises(OutOfMemory, match=message):
        play(small_heap, trace_of(events), QUIET)


def test_event_after_a_refusal_is_not_counted(small_heap: Heap) -> None:
    played = Player(small_heap, QUIET)
    with pytest.raises(OutOfMemory, match="event 2 "):
        played.play(stream(malloc(0, 10), malloc(1, 1 << 40), malloc(2, 10)))
    assert played.events == 1


def test_realloc_that_is_refused_is_an_error(small_heap: Heap) -> None:
    with pytest.raises(OutOfMemory, match=r"event 2 .object 0, thread 0, 1099511627776 bytes"):
        play(small_heap, trace_of(stream(malloc(0, 10), realloc(0, 1 << 40))), QUIET)


def test_too_many_threads_are_an_error(heap: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    played = Player(heap, QUIET)
    played._run.driver[0].threads = 65536  # as if all of them had begun
    message = r"event 1 .*more than 65536 threads"
    monkeypatch.setattr(operations, "refusal", lambda _: 0)
    with pytest.raises(EnvironmentLacks, match=message):
        raise played._refusal("event 1 (object 0, thread 65535, 1 bytes)")


def corrupt_free_list(heap: Heap) -> None:
    """Count one free object too many."""
    heap.state.object_list[0].length += 1


def test_check_every_finds_corruption_where_it_is_first_looked_for(heap: Heap) -> None:
    played = Player(heap, Options(touch=Touch.NONE, check_every=10))
    played.play(toggling(15))
    corrupt_free_list(heap)
    with pytest.raises(Corruption, match="after event 20: "):
        played.play(toggling(25)[1:])


def test_check_every_also_checks_at_the_end(heap: Heap) -> None:
    played = Player(heap, Options(touch=Touch.NONE, check_every=10**9))
    played.play(toggling(14))
    corrupt_free_list(heap)
    with pytest.raises(Corruption, match="after event 14: "):
        played.profile()


def test_sound_heap_passes_every_check(heap: Heap) -> None:
    events = stream_of(random_calls(8, 20 * SCALE))
    profile = play(heap, trace_of(events), Options(check_every=len(events) // 3))
    assert profile.events == len(events)


def test_many_violations_are_told_in_part(heap: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "check", lambda: ["one", "two", "three", "four", "five"])
    with pytest.raises(Corruption, match=r"after event 5: one; two; three \(and 2 more\)"):
        play(heap, trace_of(toggling(9)), Options(check_every=5))


def test_sums_that_are_wrong_are_corruption_without_any_check(heap: Heap) -> None:
    played = Player(heap, QUIET)
    played.play(toggling(5))
    heap.state.system[0].heap += 4096
    with pytest.raises(Corruption, match="the parts do not sum to the heap"):
        played.profile()


def test_verify_finds_a_stamp_that_was_overwritten(heap: Heap) -> None:
    played = Player(heap, Options(verify=True))
    played.play(stream(malloc(0, 10), malloc(1, 10)))
    address = int(played._run.objects[1].address)
    heap.memory.view(address + 9, 1)[0] ^= 1
    with pytest.raises(Corruption, match=r"event 4 .object 1, .*stamp was overwritten"):
        played.play(stream(free(0), free(1)))


def test_verify_finds_a_stamp_that_was_overwritten_before_realloc(heap: Heap) -> None:
    played = Player(heap, Options(verify=True))
    played.play(stream(malloc(0, 10)))
    heap.memory.view(int(played._run.objects[0].address), 1)[0] ^= 1
    with pytest.raises(Corruption, match=r"event 2 .*stamp was overwritten"):
        played.play(stream(realloc(0, 20)))


def test_verify_finds_an_overwritten_stamp_of_an_object_that_is_never_freed(heap: Heap) -> None:
    played = Player(heap, Options(verify=True))
    played.play(stream(malloc(0, 10), malloc(1, 10), free(0)))
    heap.memory.view(int(played._run.objects[1].address), 1)[0] ^= 1
    with pytest.raises(Corruption, match=r"at the end, object 1: .*stamp was overwritten"):
        played.profile()


def test_stamps_and_checks_that_held_are_counted(heap: Heap) -> None:
    calls = malloc(0, 10), malloc(1, 10), realloc(0, 20), free(0), malloc(2, 10)
    profile = play(heap, trace_of(stream(*calls)), Options(verify=True, check_every=2))
    resized, freed, left = 2, 1, 2
    assert profile.stamps == resized + freed + left
    assert profile.checks == 3  # after 2 and 4 events, and at the end


def test_nothing_counts_as_verified_unasked(heap: Heap) -> None:
    profile = play(heap, trace_of(stream(malloc(0, 10), free(0))), QUIET)
    assert (profile.stamps, profile.checks) == (0, 0)


def test_verify_finds_a_fresh_object_that_is_not_zero(heap: Heap) -> None:
    played = Player(heap, Options(verify=True))
    played.play(stream(malloc(0, 100), free(0)))
    head = int(heap.state.object_list[0].head[heap.state.object_list[0].head != 0][0])
    heap.memory.view(head + 50, 1)[0] = 1
    with pytest.raises(Corruption, match=r"event 3 .*the fresh object is not all zeros"):
        played.play(stream(malloc(1, 100)))


def test_object_that_the_heap_does_not_take_back_is_corruption(heap: Heap) -> None:
    played = Player(heap, QUIET)
    played.play(stream(malloc(0, 100)))
    played._run.objects[0].address = 12345
    with pytest.raises(Corruption, match=r"event 2 .*did not take back"):
        played.play(stream(free(0)))


def test_interrupt_says_how_far_it_came(heap: Heap) -> None:
    def impatient(watched: Player) -> None:
        if watched.events >= 30:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="interrupted after 30 events"):
        play(heap, trace_of(*cut(toggling(100), 10)), QUIET, impatient)


def test_interrupt_while_events_are_made_is_told_too(heap: Heap) -> None:
    def chunks() -> Iterator[Any]:
        yield toggling(10)
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="interrupted after 10 events"):
        play(heap, Trace("test", chunks(), {}), QUIET)


def test_watch_is_called_after_each_chunk(heap: Heap) -> None:
    seen: list[int] = []
    play(heap, trace_of(*cut(toggling(25), 10)), QUIET, lambda watched: seen.append(watched.events))
    assert seen == [10, 20, 25]


def test_notes_are_no_events(heap: Heap) -> None:
    events = stream(malloc(0, 10), Call(Op.THREAD_DONE), Call(Op.FREEZE), free(0))
    profile = play(heap, trace_of(events), Options(every=1))
    assert profile.events == 2
    assert profile.samples["event"].tolist() == [1, 2]


@pytest.mark.parametrize("touch", Touch)
def test_touch_decides_what_is_resident(heap: Heap, touch: Touch) -> None:
    profile = play(heap, trace_of(stream(malloc(0, 1 << 20))), Options(touch=touch))
    pages = profile.resident // 4096
    if touch >= Touch.PAGE:
        assert 256 <= pages <= 260
    else:
        assert pages <= 4


def test_run_that_fails_leaves_no_thread_and_no_open_file(heap: Heap, tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_text("".join(f"1: malloc {16 * i + 16:#x} 1000000\n" for i in range(100_000)))
    if PURE:
        path.write_text("".join(f"1: malloc {16 * i + 16:#x} 10000000\n" for i in range(200)))
    trace = open_trace(str(path))
    with pytest.raises(LimitExceeded):
        play(heap, trace, Options(limit=2 << 20, touch=Touch.NONE))
    assert trace.progress() == 1.0  # what a closed file says


@pytest.mark.parametrize("seed", range(2))
def test_random_workload_is_sound_to_the_end(heap: Heap, seed: int) -> None:
    law = LogUniform(max=Size(2000))
    trace = Random(ops=100 * SCALE, slots=30, threads=3, seed=seed, size=law).trace("random")
    profile = play(heap, trace, Options(verify=True, check_every=50 * SCALE))
    assert profile.events == 100 * SCALE
