"""The lives of objects, compared with a model that follows the events one by one."""

import pytest

from allocsim.events import Op
from allocsim.explanation.lives import NEVER, read_lives
from tests.call_sites.stacks import random_table, with_sites
from tests.driving import Call, free, malloc, random_calls, realloc, stream_of
from tests.playing import cut, trace_of


def model(calls: list[Call], event: int) -> dict[int, tuple[int, int, int, int]]:
    """Return (born, born_clock, thread, freed) of `Lives` for each object live after `event`."""
    live: dict[int, tuple[int, int, int]] = {}
    clock = 0
    for index, call in enumerate(calls[:event]):
        if call.op == Op.FREE:
            del live[call.object]
        elif call.op == Op.REALLOC:
            live[call.object] = (*live[call.object][:2], call.thread)
        else:
            live[call.object] = (index, clock, call.thread)
        clock += call.request
    return {number: (*life, next_free(calls, event, number)) for number, life in live.items()}


def next_free(calls: list[Call], event: int, number: int) -> int:
    """Return the index of the object's first free from index `event` on, or NEVER."""
    return next(
        (
            event + offset
            for offset, call in enumerate(calls[event:])
            if call.op == Op.FREE and call.object == number
        ),
        NEVER,
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("chunk", [7, 1000])
def test_lives_are_those_of_a_walk_over_the_events(seed: int, chunk: int) -> None:
    calls = random_calls(seed, 300, objects=30, threads=3)
    for event in (0, 1, 150, 299, 300):
        lives = read_lives(trace_of(*cut(stream_of(calls), chunk)), event, 30)
        assert (lives.events, lives.event) == (300, event)
        assert lives.clock == sum(call.request for call in calls[:event])
        for number, expected in model(calls, event).items():
            columns = lives.born, lives.born_clock, lives.thread, lives.freed
            assert tuple(int(column[number]) for column in columns) == expected


def test_site_is_that_of_the_call_that_placed_the_object_last() -> None:
    calls = [malloc(0, 8), malloc(1, 8), free(0), malloc(0, 8), realloc(1, 9), malloc(2, 8)]
    trace = with_sites(calls, random_table(1), [11, 12, 13, 14, 15])
    assert read_lives(trace, 5, 3).site[:2].tolist() == [13, 14]
