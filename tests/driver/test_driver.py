"""The replay kernel replays every kind of event, and takes samples at its interval."""

import pytest

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.driver import Stop
from allocsim.events import EVENT, Op, no_events
from tests.conftest import PAGE
from tests.driving import (
    FREEZE,
    Call,
    free,
    malloc,
    new_run,
    play,
    realloc,
    stream,
    stream_of,
    taken_samples,
)


def test_event_has_16_bytes() -> None:
    assert EVENT.itemsize == 16


def test_no_events_are_done_at_once(fresh: HeapState) -> None:
    run = new_run()
    assert play(fresh, run, no_events()) == (0, Stop.END)
    assert run.driver[0].events == 0


def test_every_kind_of_event_is_carried_out(heap: Heap, fresh: HeapState) -> None:
    calls = [
        malloc(0, 100),
        Call(Op.CALLOC, 1, 200, 1),
        Call(Op.MEMALIGN, 2, 300, 2, 12),
        realloc(0, 40_000, 1),
        free(1, 2),
    ]
    run = new_run()
    assert play(fresh, run, stream_of(calls)) == (5, Stop.END)
    assert run.objects.address[2] % PAGE == 0
    assert [run.objects.address[number] != 0 for number in range(4)] == [True, False, True, False]
    assert run.objects.request[[0, 2]].tolist() == [40_000, 300]
    driver = run.driver[0]
    assert (driver.events, driver.live, driver.threads) == (5, 40_300, 3)
    assert heap.check() == []


@pytest.mark.parametrize("exponent", range(0, 21, 2))
def test_alignment_is_a_power_of_two_of_the_exponent(fresh: HeapState, exponent: int) -> None:
    run = new_run()
    play(fresh, run, stream(malloc(0, 5), Call(Op.MEMALIGN, 1, 5, 0, exponent)))
    assert run.objects[1].address % (1 << exponent) == 0


def test_events_before_the_start_are_not_replayed(fresh: HeapState) -> None:
    run = new_run()
    assert play(fresh, run, stream(malloc(0, 1), malloc(1, 2), malloc(2, 4)), 1) == (3, Stop.END)
    assert (run.driver[0].events, run.driver[0].live) == (2, 6)


def test_notes_are_no_events(fresh: HeapState) -> None:
    run = new_run()
    notes = (Call(Op.THREAD_DONE, thread=0), malloc(0, 8), Call(Op.THREAD_DONE, thread=0), FREEZE)
    assert play(fresh, run, stream(*notes)) == (4, Stop.END)
    assert run.driver[0].events == 1
    assert fresh.system[0].frozen == 1


def test_end_of_a_thread_that_never_began_begins_none(fresh: HeapState) -> None:
    run = new_run()
    play(fresh, run, stream(Call(Op.THREAD_DONE, thread=5)))
    assert run.driver[0].threads == fresh.static[0].threads == 0


def test_threads_begin_in_order_at_their_first_event(fresh: HeapState) -> None:
    run = new_run()
    play(fresh, run, stream(malloc(0, 8, 3)))
    assert run.driver[0].threads == fresh.static[0].threads == 4


def test_samples_are_taken_at_their_interval(fresh: HeapState) -> None:
    run = new_run(next_sample=3, interval=4)
    play(fresh, run, stream_of(malloc(number, 8) for number in range(13)))
    samples = taken_samples(run)
    assert samples["event"].tolist() == [3, 7, 11]
    assert samples["live"].tolist() == [24, 56, 88]
