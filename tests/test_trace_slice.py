"""Slices: each object with all its calls or none, and no more is read than needed."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from allocsim.events import Op
from allocsim.trace_slice import BORN_BEFORE, FREED_AFTER, NO_END, Slice
from tests.driving import Call, free, malloc, realloc
from tests.traces.recordings import Event, rows_of
from tests.traces.streams import streams, trace_of


def taken(calls: list[Call], first: int, last: int, chunk: int = 5) -> tuple[list[Event], Slice]:
    """The events of a slice, and the consumed slice."""
    stretch = Slice(first, last)
    rows: list[Event] = []
    for part in stretch.of(trace_of(calls, chunk).chunks):
        assert len(part)
        rows += rows_of(part)
    return rows, stretch


def plainly(calls: list[Call], first: int, last: int) -> tuple[list[Call], dict[str, int]]:
    """The calls of a slice and the reasons for others, from the whole life of each object."""
    event, place = 0, list[int]()
    lives: list[list[int]] = []  # of each object: the positions of its calls
    life_of: dict[int, list[int]] = {}
    for position, call in enumerate(calls):
        place.append(event)
        if call.op > Op.FREE:
            continue
        event += 1
        if call.op < Op.REALLOC:
            lives.append(life_of.setdefault(call.object, []))
        life_of[call.object].append(position)
        if call.op == Op.FREE:
            del life_of[call.object]
    within = [first <= number < last for number in place]
    chosen = {position for position, call in enumerate(calls) if call.op > Op.FREE}
    dropped = {BORN_BEFORE: 0, FREED_AFTER: 0}
    for life in lives:
        is_freed = calls[life[-1]].op == Op.FREE
        if within[life[0]] and (within[life[-1]] or not is_freed):
            chosen |= {*life}
        else:
            reason = FREED_AFTER if within[life[0]] else BORN_BEFORE
            dropped[reason] += sum(within[position] for position in life)
    stretch = [
        call for position, call in enumerate(calls) if within[position] and position in chosen
    ]
    return stretch, {reason: count for reason, count in dropped.items() if count}


def whole_objects(calls: list[Call], first: int, last: int) -> list[Call]:
    """The calls of a slice."""
    return plainly(calls, first, last)[0]


@given(
    calls=streams,
    first=st.integers(0, 60),
    length=st.one_of(st.integers(1, 80), st.just(NO_END // 2)),
    chunk=st.integers(1, 20),
)
def test_slice_has_the_objects_that_are_complete_in_it(
    calls: list[Call], first: int, length: int, chunk: int
) -> None:
    events, stretch = taken(calls, first, first + length, chunk)
    expected, dropped = plainly(calls, first, first + length)
    assert [(op, number, request) for op, request, *_, number in events] == [
        (call.op, call.object, call.request) for call in expected
    ]
    assert stretch.dropped() == dropped


@given(calls=streams, first=st.integers(0, 60))
def test_slice_to_the_end_is_the_same_without_buffering(calls: list[Call], first: int) -> None:
    endless, stretch = taken(calls, first, NO_END)
    held, same = taken(calls, first, len(calls) + first)
    assert endless == held
    assert stretch.dropped() == same.dropped()


def test_object_freed_later_is_dropped_with_all_its_calls() -> None:
    calls = [malloc(0, 1), realloc(0, 2), malloc(1, 3), realloc(0, 4), free(0)]
    events, stretch = taken(calls, 0, 3)
    assert [event[1] for event in events] == [3]
    assert stretch.dropped() == {FREED_AFTER: 2}


def test_id_reused_after_the_slice_is_another_object() -> None:
    calls = [malloc(0, 1), free(0), malloc(1, 2), malloc(0, 3), free(0)]
    events, stretch = taken(calls, 0, 3)
    assert [event[1] for event in events] == [1, 0, 2]
    assert stretch.dropped() == {}


def test_table_grows_to_a_large_id() -> None:
    calls = [malloc(100_000, 5), malloc(1, 6), free(100_000), malloc(1 << 20, 7)]
    assert [event[1] for event in taken(calls, 1, 3)[0]] == [6]
    assert [event[1] for event in taken(calls, 0, 9)[0]] == [5, 6, 0, 7]


def pulled(calls: list[Call], last: int) -> int:
    """Chunks of two events that a slice consumes."""
    count = 0

    def chunks() -> Iterator[Any]:
        nonlocal count
        for chunk in trace_of(calls, chunk=2).chunks:
            count += 1
            yield chunk

    list(Slice(0, last).of(chunks()))
    return count


def test_no_more_is_read_than_it_takes_to_know_every_fate() -> None:
    later = [malloc(5, 1), free(5)] * 20
    assert pulled([malloc(0, 1), free(0), *later], 2) == 1
    assert pulled([malloc(0, 1), malloc(1, 1), free(0), free(1), *later], 2) == 2
    assert pulled([malloc(0, 1), malloc(1, 1), free(0), *later], 2) == 22
