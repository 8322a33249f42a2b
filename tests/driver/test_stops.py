"""The replay kernel stops at the right event for each reason, and continues from there."""

import pytest

from allocsim import Heap
from allocsim.core.memory import Reservation
from allocsim.core.raw import store_word
from allocsim.core.records import HeapState
from allocsim.designs.go2008 import create
from allocsim.driver import Stop
from allocsim.events import Op
from tests.conftest import contents
from tests.driving import (
    FREEZE,
    NEVER,
    Call,
    free,
    malloc,
    new_run,
    play,
    realloc,
    set_due,
    stream,
    stream_of,
    taken_samples,
)


def test_object_beyond_the_table_stops_before_its_event(fresh: HeapState) -> None:
    events, run = stream(malloc(0, 1), malloc(2, 2), malloc(1, 4)), new_run(objects=2)
    assert play(fresh, run, events) == (1, Stop.OBJECTS)
    assert (run.driver[0].events, run.driver[0].live) == (1, 1)
    larger = new_run(objects=3)
    larger.objects[:2] = run.objects
    assert play(fresh, run._replace(objects=larger.objects), events, 1) == (3, Stop.END)
    assert run.driver[0].live == 7


def test_thread_beyond_the_table_stops() -> None:
    memory = Reservation(1 << 20)
    run, state = new_run(), create(memory, 2, {})
    assert play(state, run, stream(malloc(0, 1, 1), malloc(1, 1, 2))) == (1, Stop.THREADS)
    assert (run.driver[0].events, run.driver[0].threads) == (1, 2)


def test_thread_that_begins_on_a_frozen_heap_stops(fresh: HeapState) -> None:
    run = new_run()
    assert play(fresh, run, stream(malloc(0, 1), FREEZE, malloc(1, 1, 1))) == (2, Stop.THREADS)


@pytest.mark.parametrize("refused", [malloc(1, 40_000), realloc(0, 2_000_000)], ids=["m", "r"])
def test_frozen_heap_that_has_to_grow_stops(heap: Heap, fresh: HeapState, refused: Call) -> None:
    run = new_run()
    events = stream(malloc(0, 1_100_000), FREEZE, refused, free(0))
    assert play(fresh, run, events) == (2, Stop.REFUSED)
    assert (run.driver[0].events, run.driver[0].live) == (1, 1_100_000)
    assert play(fresh, run, events, 3) == (4, Stop.END)
    assert heap.check() == []


@pytest.mark.parametrize("request_", [2**40, 2**62, 2**63 - 1], ids=hex)
@pytest.mark.parametrize("op", [Op.MALLOC, Op.CALLOC, Op.MEMALIGN])
def test_request_that_does_not_fit_stops(fresh: HeapState, op: Op, request_: int) -> None:
    run = new_run()
    assert play(fresh, run, stream(Call(op, 0, request_, 0, 4))) == (0, Stop.REFUSED)
    assert (run.driver[0].live, run.objects[0].address) == (0, 0)


BAD: dict[str, tuple[Call, ...]] = {
    "free of an object that was never allocated": (free(0),),
    "free of a freed object": (malloc(0, 1), free(0), free(0)),
    "realloc of a freed object": (malloc(0, 1), free(0), realloc(0, 5)),
    "malloc of a live object": (malloc(0, 1), malloc(0, 1)),
    "calloc of a live object": (malloc(0, 1), Call(Op.CALLOC, 0, 1)),
    "memalign of a live object": (malloc(0, 1), Call(Op.MEMALIGN, 0, 1, 0, 4)),
}


@pytest.mark.parametrize("calls", BAD.values(), ids=BAD)
def test_bad_event_stops_and_is_not_done(
    heap: Heap, fresh: HeapState, calls: tuple[Call, ...]
) -> None:
    run, last = new_run(), len(calls) - 1
    assert play(fresh, run, stream(malloc(9, 7), *calls)) == (last + 1, Stop.BAD_EVENT)
    assert run.driver[0].events == last + 1
    assert heap.check() == []


def test_failed_free_of_a_live_object_stops(fresh: HeapState) -> None:
    run = new_run()
    play(fresh, run, stream(malloc(0, 24)))
    run.objects[0].address += 8
    assert play(fresh, run, stream(free(0))) == (0, Stop.BAD_FREE)
    assert run.driver[0].live == 24


@pytest.mark.parametrize("offset", [0, 7, 8, 50, 96, 99])
@pytest.mark.parametrize("call", [free(0), realloc(0, 200), realloc(0, 50)], ids=["f", "+", "-"])
def test_overwritten_pattern_stops(heap: Heap, fresh: HeapState, call: Call, offset: int) -> None:
    run = new_run(verify=1)
    assert play(fresh, run, stream(malloc(0, 100))) == (1, Stop.END)
    contents(heap, int(run.objects[0].address) + offset, 1)[0] ^= 0x10
    assert play(fresh, run, stream(call)) == (0, Stop.PATTERN)
    assert run.driver[0].events == 1


def test_resized_object_that_lost_its_bytes_stops(fresh: HeapState) -> None:
    run = new_run(verify=1)
    play(fresh, run, stream(malloc(0, 100)))
    fresh.span[1].object_size = 8  # so that only 8 bytes are copied
    assert play(fresh, run, stream(realloc(0, 200))) == (0, Stop.PATTERN)


def test_overwritten_byte_is_not_found_without_verification(heap: Heap, fresh: HeapState) -> None:
    run = new_run(verify=0)
    play(fresh, run, stream(malloc(0, 100)))
    contents(heap, int(run.objects[0].address), 100)[:] = 3
    assert play(fresh, run, stream(free(0))) == (1, Stop.END)


@pytest.mark.parametrize("request_", [24, 20])
@pytest.mark.parametrize("zeroed", [0, 1])
def test_fresh_object_that_is_not_zero_stops_where_zeros_are_promised(
    heap: Heap, fresh: HeapState, zeroed: int, request_: int
) -> None:
    run = new_run(verify=1, zeroed=zeroed)
    play(fresh, run, stream(malloc(0, 24)))
    address = int(run.objects[0].address)
    store_word(address + 24 + request_ - 8, 1 << 56)
    expected = (0, Stop.NOT_ZERO) if zeroed else (1, Stop.END)
    assert play(fresh, run, stream(malloc(1, request_))) == expected


def test_growth_past_the_limit_stops_after_the_event(fresh: HeapState) -> None:
    first = stream(malloc(0, 100_000))
    run = new_run()
    play(fresh, run, first)
    run.driver[0].limit = run.driver[0].peak_footprint
    assert play(fresh, run, stream(malloc(1, 100_000), malloc(2, 1 << 21), malloc(3, 1))) == (
        2,
        Stop.LIMIT,
    )
    assert (run.driver[0].events, run.driver[0].live) == (3, 200_000 + (1 << 21))
    assert run.objects[2].address != 0


@pytest.mark.parametrize(("below", "stop"), [(0, Stop.END), (1, Stop.LIMIT)])
def test_limit_may_be_reached_and_not_passed(fresh: HeapState, below: int, stop: Stop) -> None:
    footprint = (1 << 20) + (1 << 16) + 3 * (1 << 16) + (1 << 20)  # pages, page map, records
    run = new_run(limit=footprint - below)
    assert play(fresh, run, stream(malloc(0, 1 << 20))) == (1, stop)
    assert run.driver[0].peak_footprint == footprint


@pytest.mark.parametrize("due", [1, 2, 5])
def test_check_stops_after_the_event_at_which_it_is_due(fresh: HeapState, due: int) -> None:
    run = new_run(next_check=due)
    events = stream_of(malloc(number, 8) for number in range(6))
    assert play(fresh, run, events) == (due, Stop.CHECK)
    run.driver[0].next_check = NEVER
    set_due(run)
    assert play(fresh, run, events, due) == (6, Stop.END)


def test_end_of_a_thread_does_not_count_as_an_event_before_a_check(fresh: HeapState) -> None:
    calls = malloc(0, 8), Call(Op.THREAD_DONE), malloc(1, 8), malloc(2, 8)
    assert play(fresh, new_run(next_check=2), stream(*calls)) == (3, Stop.CHECK)


def test_full_buffer_stops_after_the_event_of_its_last_sample(fresh: HeapState) -> None:
    run = new_run(samples=2, next_sample=1, interval=1)
    events = stream_of(malloc(number, 8) for number in range(5))
    found = []
    position, stop = play(fresh, run, events)
    while stop == Stop.SAMPLES:
        found += taken_samples(run)["event"].tolist()
        position, stop = play(fresh, run, events, position)
    found += taken_samples(run)["event"].tolist()
    assert (position, stop, found) == (5, Stop.END, [1, 2, 3, 4, 5])
