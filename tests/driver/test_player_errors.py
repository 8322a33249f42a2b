"""Player: the error for an event that cannot be replayed names the event; no file stays open."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.jit import PURE
from allocsim.driver import Stop, Touch
from allocsim.errors import (
    EnvironmentLacks,
    HeapFrozen,
    InputError,
    Interrupted,
    LimitExceeded,
    OutOfMemory,
)
from allocsim.events import Op, Trace
from allocsim.generators.repeat import Repeat
from allocsim.player import Options, Player, replay_trace
from allocsim.quantities import Size
from allocsim.replay_errors import replay_error
from allocsim.traces import open_trace
from tests.driving import Call, free, malloc, realloc, stream
from tests.playing import QUIET, cut, toggling, trace_of


@pytest.mark.parametrize("number", [1 << 31, (1 << 32) - 1])
def test_object_beyond_all_is_an_error(heap: Heap, number: int) -> None:
    with pytest.raises(InputError, match=rf"event 2 names object {number}; .* below 2\*\*31"):
        replay_trace(heap, trace_of(stream(malloc(0, 1), malloc(number, 1))), QUIET)


BAD = {
    "free of a freed object": (free(1), "event 3 .object 1, thread 0. frees or resizes"),
    "malloc of what lives": (
        malloc(0, 5),
        "event 3 .object 0, thread 0, 5 bytes. frees or",
    ),
    "realloc of what is dead": (
        realloc(1, 5),
        "event 3 .object 1, thread 0, 5 bytes. frees or resizes",
    ),
    "calloc of what lives": (Call(Op.CALLOC, 0, 5, 1), "event 3 .object 0, thread 1, 5 bytes."),
    "memalign of what lives": (Call(Op.MEMALIGN, 0, 5, 0, 4), "event 3 .object 0"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_event_is_an_error_that_names_it(heap: Heap, call: Call, message: str) -> None:
    events = stream(malloc(0, 10), Call(Op.THREAD_DONE), malloc(7, 10), call)
    with pytest.raises(InputError, match=message):
        replay_trace(heap, trace_of(events[:1], events[1:]), QUIET)


def test_limit_is_an_error_that_says_when(heap: Heap) -> None:
    events = stream(malloc(0, 10), malloc(1, 9 << 20), malloc(2, 10))
    with pytest.raises(LimitExceeded, match=r"the limit of 8\.0 MiB after 2 events"):
        replay_trace(heap, trace_of(events), Options(limit=8 << 20))


def test_limit_that_is_just_kept_is_no_error(heap: Heap) -> None:
    events = stream(malloc(0, 10), malloc(1, 3 << 20))
    peak = replay_trace(heap, trace_of(events), QUIET).at_peak.footprint
    for limit, fails in ((peak, False), (peak - 1, True)):
        with Heap(reserve=1 << 30) as fresh:
            played = Player(fresh, Options(limit=limit))
            if fails:
                with pytest.raises(LimitExceeded):
                    played.replay_chunk(events)
            else:
                played.replay_chunk(events)


def test_frozen_heap_that_must_grow_is_an_error(heap: Heap) -> None:
    events = stream(malloc(0, 10), Call(Op.FREEZE), malloc(1, 5 << 20))
    message = (
        r"event 2 .object 1, thread 0, 5,242,880 bytes. needs more memory, and the heap is froz"
    )
    with pytest.raises(HeapFrozen, match=message):
        replay_trace(heap, trace_of(events), QUIET)


def test_frozen_heap_that_reuses_its_memory_is_no_error(heap: Heap) -> None:
    rounds = 3
    profile = replay_trace(
        heap, Repeat(rounds=rounds).trace("repeat"), Options(verify=PURE is False)
    )
    assert profile.events == 46 * rounds


def test_repeat_that_grows_in_a_later_round_fails(heap: Heap) -> None:
    once = Repeat(rounds=1, sizes=(Size(100),))
    larger = stream(malloc(0, 2 << 20), free(0))
    with pytest.raises(HeapFrozen, match="event 3 "):
        replay_trace(heap, trace_of(*(c.copy() for c in once.events()), larger), QUIET)


def test_reservation_that_is_used_up_is_an_error(small_heap: Heap) -> None:
    events = stream(*(malloc(i, 1 << 20) for i in range(9)))
    message = (
        r"event \d .object \d, thread 0, 1,048,576 bytes. does not fit in the reserved address"
    )
    with pytest.raises(OutOfMemory, match=message):
        replay_trace(small_heap, trace_of(events), QUIET)


def test_event_after_a_refusal_is_not_counted(small_heap: Heap) -> None:
    played = Player(small_heap, QUIET)
    with pytest.raises(OutOfMemory, match="event 2 "):
        played.replay_chunk(stream(malloc(0, 10), malloc(1, 1 << 40), malloc(2, 10)))
    assert played.events == 1


def test_realloc_that_is_refused_is_an_error(small_heap: Heap) -> None:
    with pytest.raises(OutOfMemory, match=r"event 2 .object 0, thread 0, 1,099,511,627,776 bytes"):
        replay_trace(small_heap, trace_of(stream(malloc(0, 10), realloc(0, 1 << 40))), QUIET)


def test_too_many_threads_are_an_error(heap: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    played = Player(heap, QUIET)
    played._run.driver[0].threads = 65536  # as if all of them had begun
    message = r"event 1 .*more than 65536 threads"
    monkeypatch.setattr(operations, "refusal", lambda _: 0)
    event = stream(malloc(0, 1))[0]
    with pytest.raises(EnvironmentLacks, match=message):
        raise replay_error(Stop.THREADS, event, heap, played._run, played._bound)


def test_interrupt_says_how_far_it_came(heap: Heap) -> None:
    def impatient(watched: Player) -> None:
        if watched.events >= 30:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="interrupted after 30 events"):
        replay_trace(heap, trace_of(*cut(toggling(100), 10)), QUIET, impatient)


def test_interrupt_while_events_are_made_is_reported_too(heap: Heap) -> None:
    def chunks() -> Iterator[Any]:
        yield toggling(10)
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="interrupted after 10 events"):
        replay_trace(heap, Trace("test", chunks(), {}), QUIET)


def test_run_that_fails_leaves_no_thread_and_no_open_file(heap: Heap, tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    count = 200 if PURE else 100_000
    path.write_text("".join(f"1: malloc {16 * i + 16:#x} 1000000\n" for i in range(count)))
    threads = set(threading.enumerate())
    trace = open_trace(str(path))
    with pytest.raises(LimitExceeded):
        replay_trace(heap, trace, Options(limit=2 << 20, touch=Touch.NONE))
    assert trace.progress() == 1.0  # the progress of a trace whose file is closed
    assert path.resolve() not in {link.resolve() for link in Path("/proc/self/fd").iterdir()}
    assert set(threading.enumerate()) == threads
