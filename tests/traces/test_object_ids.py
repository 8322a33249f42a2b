"""Object ids: every rule for turning calls into events, and reuse of ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from allocsim.core.jit import PURE
from allocsim.events import Op, no_events
from allocsim.traces import object_ids
from allocsim.traces.calls import HUGE, Halt, no_calls
from allocsim.traces.hash_table import capacity_of
from allocsim.traces.object_ids import (
    ObjectIds,
    assign_ids,
    new_object_ids,
    with_more_slots,
)
from allocsim.traces.reasons import REASONS, Reason
from tests.conftest import SCALE
from tests.traces.recordings import Event, rows_of

A, B, C = 0x1000, 0x2000, 0x7FFF_FFFF_F000


@dataclass(frozen=True)
class Call:
    """A call with named fields."""

    op: Op
    address: int
    request: int = 0
    old: int = 0
    alignment: int = 0
    thread: int = 7
    process: int = 0


def malloc(address: int, request: int = 10, **other: int) -> Call:
    """Return a call of malloc."""
    return Call(Op.MALLOC, address, request, **other)


def realloc(old: int, address: int, request: int) -> Call:
    """Return a call of realloc."""
    return Call(Op.REALLOC, address, request, old)


def free(address: int, thread: int = 7, process: int = 0) -> Call:
    """Return a call of free."""
    return Call(Op.FREE, address, thread=thread, process=process)


def batch(given_calls: Sequence[Call]) -> Any:
    """Return the calls as a batch of a reader."""
    made = no_calls(len(given_calls))
    for row, call in zip(made, given_calls, strict=True):
        row.op, row.address, row.request = call.op, call.address, call.request
        row.old, row.alignment = call.old, call.alignment
        row.thread, row.process = call.thread, call.process
    return made


def identified(
    *given_calls: Call, slots: int = 64, room: int = 64
) -> tuple[list[Event], dict[str, int], ObjectIds]:
    """Events, counts of dropped calls, and the state after the calls."""
    known, events, rows = new_object_ids(slots), no_events(room), list[Event]()
    made, position = batch(given_calls), 0
    while position < len(made):
        position = assign_ids(known, made, position, events)
        rows += rows_of(events[: known.state[0].events])
        if known.state[0].halt == Halt.TABLE_FULL:
            known = with_more_slots(known)
    dropped = {REASONS[reason]: int(known.dropped[reason]) for reason in Reason}
    return rows, {name: n for name, n in dropped.items() if n}, known


M, R, F = Op.MALLOC, Op.REALLOC, Op.FREE

RULES: dict[str, tuple[list[Call], list[Event], dict[str, int]]] = {
    "malloc that returns NULL is a failed call": ([malloc(0)], [], {"failed call": 1}),
    "malloc(0) that returns NULL is a failed call": ([malloc(0, 0)], [], {"failed call": 1}),
    "failed calloc": ([Call(Op.CALLOC, 0, 5)], [], {"failed call": 1}),
    "failed memalign": ([Call(Op.MEMALIGN, 0, 5, alignment=8)], [], {"failed call": 1}),
    "free of NULL": ([free(0)], [], {"free of NULL": 1}),
    "free of what is not live": ([free(A)], [], {"free of unknown": 1}),
    "second free": (
        [malloc(A), free(A), free(A)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"free of unknown": 1},
    ),
    "malloc at the address of a live object": (
        [malloc(A, 10), malloc(A, 20), free(A)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0), (M, 20, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"overlap": 1},
    ),
    "overlap by another thread": (
        [malloc(A, 10), malloc(A, 20, thread=8)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 1, 0), (M, 20, 0, 1, 0)],
        {"overlap": 1},
    ),
    "realloc of NULL is malloc": ([realloc(0, A, 5)], [(M, 5, 0, 0, 0)], {}),
    "realloc of NULL that fails": ([realloc(0, 0, 5)], [], {"failed call": 1}),
    "realloc of NULL over an object": (
        [malloc(A), realloc(0, A, 5)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0), (M, 5, 0, 0, 0)],
        {"overlap": 1},
    ),
    "realloc to nothing is free": (
        [malloc(A), realloc(A, 0, 0), free(A)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"free of unknown": 1},
    ),
    "realloc of unknown to nothing": ([realloc(A, 0, 0)], [], {"free of unknown": 1}),
    "realloc to 0 bytes elsewhere": (
        [malloc(A), realloc(A, B, 0), free(B)],
        [(M, 10, 0, 0, 0), (R, 0, 0, 0, 0), (F, 0, 0, 0, 0)],
        {},
    ),
    "failed realloc leaves the object": (
        [malloc(A), realloc(A, 0, 5), free(A)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"failed call": 1},
    ),
    "realloc of unknown is malloc": (
        [realloc(A, B, 5), free(A), free(B)],
        [(M, 5, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"realloc of unknown": 1, "free of unknown": 1},
    ),
    "realloc of unknown over an object": (
        [malloc(B), realloc(A, B, 5)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0), (M, 5, 0, 0, 0)],
        {"realloc of unknown": 1, "overlap": 1},
    ),
    "realloc in place": (
        [malloc(A), realloc(A, A, 5), free(A)],
        [(M, 10, 0, 0, 0), (R, 5, 0, 0, 0), (F, 0, 0, 0, 0)],
        {},
    ),
    "realloc that moves": (
        [malloc(A), realloc(A, B, 5), malloc(A, 6), free(B)],
        [(M, 10, 0, 0, 0), (R, 5, 0, 0, 0), (M, 6, 0, 0, 1), (F, 0, 0, 0, 0)],
        {},
    ),
    "realloc onto another object": (
        [malloc(A), malloc(B), realloc(A, B, 5), free(B)],
        [(M, 10, 0, 0, 0), (M, 10, 0, 0, 1), (F, 0, 0, 0, 1), (R, 5, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"overlap": 1},
    ),
    "largest size": ([malloc(A, 1 << 47)], [(M, 1 << 47, 0, 0, 0)], {}),
    "beyond the largest size": ([malloc(A, (1 << 47) + 1)], [], {"impossible size": 1}),
    "huge": ([Call(Op.CALLOC, A, HUGE)], [], {"impossible size": 1}),
    "huge realloc leaves the object": (
        [malloc(A), realloc(A, B, HUGE), free(A)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"impossible size": 1},
    ),
    "failed malloc of an impossible size": ([malloc(0, HUGE)], [], {"failed call": 1}),
    "failed realloc to an impossible size": (
        [malloc(A), realloc(A, 0, HUGE), free(A)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"failed call": 1},
    ),
    "another process": (
        [malloc(A), malloc(A, process=9), free(A, process=9), free(A)],
        [(M, 10, 0, 0, 0), (F, 0, 0, 0, 0)],
        {"other process": 2},
    ),
    "largest alignment": (
        [Call(Op.MEMALIGN, A, 5, alignment=1 << 30)],
        [(Op.MEMALIGN, 5, 30, 0, 0)],
        {},
    ),
    "beyond the largest alignment": (
        [Call(Op.MEMALIGN, A, 5, alignment=(1 << 30) + 1)],
        [],
        {"impossible size": 1},
    ),
    "alignment is rounded up": (
        [Call(Op.MEMALIGN, A, 5, alignment=9)],
        [(Op.MEMALIGN, 5, 4, 0, 0)],
        {},
    ),
    "end of a thread": (
        [malloc(A), Call(Op.THREAD_DONE, 0)],
        [(M, 10, 0, 0, 0), (Op.THREAD_DONE, 0, 0, 0, 0)],
        {},
    ),
    "end of a thread that did nothing": ([Call(Op.THREAD_DONE, 0)], [], {}),
}


@pytest.mark.parametrize(("calls", "events", "dropped"), RULES.values(), ids=RULES)
def test_rule(calls: list[Call], events: list[Event], dropped: dict[str, int]) -> None:
    found, counts, _ = identified(*calls)
    assert (found, counts) == (events, dropped)


def test_every_reason_has_words() -> None:
    assert set(REASONS) == set(Reason)
    assert len(set(REASONS.values())) == len(Reason)


def test_threads_are_numbered_as_they_appear_in_events() -> None:
    calls = [free(0, thread=99), malloc(A, thread=5), malloc(B, thread=0), malloc(C, thread=5)]
    found, _, known = identified(*calls, free(A, thread=10**18 - 1), free(B, thread=99))
    assert [event[3] for event in found] == [0, 1, 0, 2, 3]
    assert known.state[0].threads == 4


def test_thread_whose_calls_were_all_dropped_has_no_number() -> None:
    _, _, known = identified(free(A, thread=1), free(0, thread=2), malloc(0, thread=3))
    assert known.state[0].threads == 0


@pytest.mark.parametrize("room", [2, 3, 5])
def test_full_output_continues_in_the_next(room: int) -> None:
    calls = [malloc(A), malloc(A), malloc(B), realloc(A, B, 5), free(B)] * 3
    assert identified(*calls, room=room)[0] == identified(*calls)[0]


def test_overlap_needs_two_places_and_waits_for_them() -> None:
    known, events = new_object_ids(64), no_events(2)
    calls = batch([malloc(A), malloc(A)])
    assert assign_ids(known, calls, 0, events) == 1
    assert known.state[0].halt == Halt.OUTPUT_FULL
    assert assign_ids(known, calls, 1, events) == 2
    assert known.state[0].halt == Halt.NONE
    assert [row[0] for row in rows_of(events)] == [Op.FREE, Op.MALLOC]


def test_ids_of_freed_objects_are_reused() -> None:
    calls = [call for _ in range(20 * SCALE) for call in (malloc(A), malloc(B), free(A), free(B))]
    found, _, known = identified(*calls)
    assert {event[4] for event in found} == {0, 1}
    assert known.state[0].ids == 2


def test_ids_are_bounded_by_the_peak_of_live_objects() -> None:
    rng = np.random.default_rng(1)
    live, peak, calls = list[int](), 0, list[Call]()
    for step in range(100 * SCALE):
        if live and rng.random() < 0.49:
            calls.append(free(live.pop(int(rng.integers(len(live))))))
        else:
            live.append(16 * step + 16)
            calls.append(malloc(live[-1]))
        peak = max(peak, len(live))
    found, dropped, known = identified(*calls)
    assert dropped == {}
    assert max(event[4] for event in found) == peak - 1
    assert known.state[0].ids == peak
    assert known.state[0].live == len(live)
    assert known.state[0].spare == peak - len(live)


@pytest.mark.parametrize("slots", [4, 8, 64])
def test_table_grows_with_the_live_objects(slots: int) -> None:
    count = 20 * SCALE
    calls = [malloc(16 * (i + 1), i) for i in range(count)]
    calls += [free(16 * (i + 1)) for i in reversed(range(count))]
    found, dropped, known = identified(*calls, slots=slots)
    assert dropped == {}
    assert [event[4] for event in found] == [*range(count), *reversed(range(count))]
    assert capacity_of(known.objects) >= 2 * count
    assert len(known.spare) == capacity_of(known.objects)
    assert known.state[0].live == 0
    assert (known.objects.key == 0).all()


def test_table_is_never_more_than_half_full() -> None:
    known, events = new_object_ids(8), no_events(64)
    calls = batch([malloc(16 * (i + 1)) for i in range(10)])
    assert assign_ids(known, calls, 0, events) == 4
    assert known.state[0].halt == Halt.TABLE_FULL
    known = with_more_slots(known)
    assert capacity_of(known.objects) == 16
    assert assign_ids(known, calls, 4, events) == 8


def test_too_many_threads_halt(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 16 if PURE else object_ids.MAX_THREADS
    monkeypatch.setattr(object_ids, "MAX_THREADS", limit)  # a constant in compiled code
    known, events = new_object_ids(), no_events(2 * limit + 8)
    calls = no_calls(limit + 1)
    calls.op, calls.address, calls.thread = Op.MALLOC, A, np.arange(limit + 1)
    assert assign_ids(known, calls[:limit], 0, events) == limit
    assert known.state[0].halt == Halt.NONE
    assert sorted(set(events[: known.state[0].events].thread.tolist())) == list(range(limit))
    assert assign_ids(known, calls, limit, events) == limit
    assert known.state[0].halt == Halt.TOO_MANY_THREADS
