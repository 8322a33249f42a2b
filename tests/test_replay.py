"""The replay kernel: it stops for the right reason at the right event, and measures exactly."""

import random
from itertools import accumulate, pairwise

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.jit import PURE
from allocsim.core.memory import Reservation
from allocsim.core.raw import store_word
from allocsim.core.records import HeapState
from allocsim.designs.go2008 import create
from allocsim.events import EVENT, Op, no_events
from allocsim.profile import require_exact
from allocsim.replay import TOUCHED, Stop, Touch
from allocsim.stamps import is_stamped
from tests.conftest import PAGE, RESERVE, SCALE, contents
from tests.driving import (
    FREEZE,
    NEVER,
    Call,
    any_alignment,
    few_sizes,
    free,
    live_after,
    malloc,
    mixed_sizes,
    new_run,
    play,
    random_calls,
    realloc,
    set_due,
    stream,
    stream_of,
    taken_samples,
)

STEPS = 100 * SCALE


@pytest.fixture
def state(heap: Heap) -> HeapState:
    """The records of `heap`; the kernel begins its threads itself."""
    return heap.state


def test_event_has_16_bytes() -> None:
    assert EVENT.itemsize == 16


def test_no_events_are_done_at_once(state: HeapState) -> None:
    run = new_run()
    assert play(state, run, no_events()) == (0, Stop.END)
    assert run.driver[0].events == 0


def test_every_kind_of_event_is_carried_out(heap: Heap, state: HeapState) -> None:
    calls = [
        malloc(0, 100),
        Call(Op.CALLOC, 1, 200, 1),
        Call(Op.MEMALIGN, 2, 300, 2, 12),
        realloc(0, 40_000, 1),
        free(1, 2),
    ]
    run = new_run()
    assert play(state, run, stream_of(calls)) == (5, Stop.END)
    assert run.objects.address[2] % PAGE == 0
    assert [run.objects.address[number] != 0 for number in range(4)] == [True, False, True, False]
    assert run.objects.request[[0, 2]].tolist() == [40_000, 300]
    driver = run.driver[0]
    assert (driver.events, driver.live, driver.threads) == (5, 40_300, 3)
    assert heap.check() == []


@pytest.mark.parametrize("exponent", range(0, 21, 2))
def test_alignment_is_a_power_of_two_of_the_exponent(state: HeapState, exponent: int) -> None:
    run = new_run()
    play(state, run, stream(malloc(0, 5), Call(Op.MEMALIGN, 1, 5, 0, exponent)))
    assert run.objects[1].address % (1 << exponent) == 0


def test_events_before_the_start_are_not_played(state: HeapState) -> None:
    run = new_run()
    assert play(state, run, stream(malloc(0, 1), malloc(1, 2), malloc(2, 4)), 1) == (3, Stop.END)
    assert (run.driver[0].events, run.driver[0].live) == (2, 6)


def test_notes_are_no_events(state: HeapState) -> None:
    run = new_run()
    notes = (Call(Op.THREAD_DONE, thread=0), malloc(0, 8), Call(Op.THREAD_DONE, thread=0), FREEZE)
    assert play(state, run, stream(*notes)) == (4, Stop.END)
    assert run.driver[0].events == 1
    assert state.system[0].frozen == 1


def test_end_of_a_thread_that_never_began_begins_none(state: HeapState) -> None:
    run = new_run()
    play(state, run, stream(Call(Op.THREAD_DONE, thread=5)))
    assert run.driver[0].threads == state.counters[0].threads == 0


def test_threads_begin_in_order_at_their_first_event(state: HeapState) -> None:
    run = new_run()
    play(state, run, stream(malloc(0, 8, 3)))
    assert run.driver[0].threads == state.counters[0].threads == 4


def test_object_beyond_the_table_stops_before_its_event(state: HeapState) -> None:
    events, run = stream(malloc(0, 1), malloc(2, 2), malloc(1, 4)), new_run(objects=2)
    assert play(state, run, events) == (1, Stop.OBJECTS)
    assert (run.driver[0].events, run.driver[0].live) == (1, 1)
    larger = new_run(objects=3)
    larger.objects[:2] = run.objects
    assert play(state, run._replace(objects=larger.objects), events, 1) == (3, Stop.END)
    assert run.driver[0].live == 7


def test_thread_beyond_the_table_stops() -> None:
    memory = Reservation(1 << 20)
    run, state = new_run(), create(memory, 2, {})
    assert play(state, run, stream(malloc(0, 1, 1), malloc(1, 1, 2))) == (1, Stop.THREADS)
    assert (run.driver[0].events, run.driver[0].threads) == (1, 2)


def test_thread_that_begins_on_a_frozen_heap_stops(state: HeapState) -> None:
    run = new_run()
    assert play(state, run, stream(malloc(0, 1), FREEZE, malloc(1, 1, 1))) == (2, Stop.THREADS)


@pytest.mark.parametrize("refused", [malloc(1, 40_000), realloc(0, 2_000_000)], ids=["m", "r"])
def test_frozen_heap_that_has_to_grow_stops(heap: Heap, state: HeapState, refused: Call) -> None:
    run = new_run()
    events = stream(malloc(0, 1_100_000), FREEZE, refused, free(0))
    assert play(state, run, events) == (2, Stop.REFUSED)
    assert (run.driver[0].events, run.driver[0].live) == (1, 1_100_000)
    assert play(state, run, events, 3) == (4, Stop.END)
    assert heap.check() == []


@pytest.mark.parametrize("request_", [2**40, 2**62, 2**63 - 1], ids=hex)
@pytest.mark.parametrize("op", [Op.MALLOC, Op.CALLOC, Op.MEMALIGN])
def test_request_that_does_not_fit_stops(state: HeapState, op: Op, request_: int) -> None:
    run = new_run()
    assert play(state, run, stream(Call(op, 0, request_, 0, 4))) == (0, Stop.REFUSED)
    assert (run.driver[0].live, run.objects[0].address) == (0, 0)


BAD: dict[str, tuple[Call, ...]] = {
    "free of what never lived": (free(0),),
    "free of what is dead": (malloc(0, 1), free(0), free(0)),
    "realloc of what is dead": (malloc(0, 1), free(0), realloc(0, 5)),
    "malloc of what is live": (malloc(0, 1), malloc(0, 1)),
    "calloc of what is live": (malloc(0, 1), Call(Op.CALLOC, 0, 1)),
    "memalign of what is live": (malloc(0, 1), Call(Op.MEMALIGN, 0, 1, 0, 4)),
}


@pytest.mark.parametrize("calls", BAD.values(), ids=BAD)
def test_bad_event_stops_and_is_not_done(
    heap: Heap, state: HeapState, calls: tuple[Call, ...]
) -> None:
    run, last = new_run(), len(calls) - 1
    assert play(state, run, stream(malloc(9, 7), *calls)) == (last + 1, Stop.BAD_EVENT)
    assert run.driver[0].events == last + 1
    assert heap.check() == []


def test_object_that_the_heap_does_not_take_back_stops(state: HeapState) -> None:
    run = new_run()
    play(state, run, stream(malloc(0, 24)))
    run.objects[0].address += 8
    assert play(state, run, stream(free(0))) == (0, Stop.BAD_FREE)
    assert run.driver[0].live == 24


@pytest.mark.parametrize("offset", [0, 7, 8, 50, 96, 99])
@pytest.mark.parametrize("call", [free(0), realloc(0, 200), realloc(0, 50)], ids=["f", "+", "-"])
def test_overwritten_stamp_stops(heap: Heap, state: HeapState, call: Call, offset: int) -> None:
    run = new_run(verify=1)
    assert play(state, run, stream(malloc(0, 100))) == (1, Stop.END)
    contents(heap, int(run.objects[0].address) + offset, 1)[0] ^= 0x10
    assert play(state, run, stream(call)) == (0, Stop.STAMP)
    assert run.driver[0].events == 1


def test_resized_object_that_lost_its_bytes_stops(state: HeapState) -> None:
    run = new_run(verify=1)
    play(state, run, stream(malloc(0, 100)))
    state.span[1].object_size = 8  # so that only 8 bytes are copied
    assert play(state, run, stream(realloc(0, 200))) == (0, Stop.STAMP)


def test_overwritten_byte_goes_unseen_without_verification(heap: Heap, state: HeapState) -> None:
    run = new_run(verify=0)
    play(state, run, stream(malloc(0, 100)))
    contents(heap, int(run.objects[0].address), 100)[:] = 3
    assert play(state, run, stream(free(0))) == (1, Stop.END)


@pytest.mark.parametrize("request_", [24, 20])
@pytest.mark.parametrize("zeroed", [0, 1])
def test_fresh_object_that_is_not_zero_stops_where_zeros_are_promised(
    heap: Heap, state: HeapState, zeroed: int, request_: int
) -> None:
    run = new_run(verify=1, zeroed=zeroed)
    play(state, run, stream(malloc(0, 24)))
    address = int(run.objects[0].address)
    store_word(address + 24 + request_ - 8, 1 << 56)
    expected = (0, Stop.NOT_ZERO) if zeroed else (1, Stop.END)
    assert play(state, run, stream(malloc(1, request_))) == expected


def test_growth_past_the_limit_stops_after_the_event(state: HeapState) -> None:
    first = stream(malloc(0, 100_000))
    run = new_run()
    play(state, run, first)
    run.driver[0].limit = run.driver[0].peak_footprint
    assert play(state, run, stream(malloc(1, 100_000), malloc(2, 1 << 21), malloc(3, 1))) == (
        2,
        Stop.LIMIT,
    )
    assert (run.driver[0].events, run.driver[0].live) == (3, 200_000 + (1 << 21))
    assert run.objects[2].address != 0


@pytest.mark.parametrize(("below", "stop"), [(0, Stop.END), (1, Stop.LIMIT)])
def test_limit_may_be_reached_and_not_passed(state: HeapState, below: int, stop: Stop) -> None:
    footprint = (1 << 20) + (1 << 16) + 3 * (1 << 16) + (1 << 20)  # pages, page map, records
    run = new_run(limit=footprint - below)
    assert play(state, run, stream(malloc(0, 1 << 20))) == (1, stop)
    assert run.driver[0].peak_footprint == footprint


@pytest.mark.parametrize("due", [1, 2, 5])
def test_check_stops_after_the_event_at_which_it_is_due(state: HeapState, due: int) -> None:
    run = new_run(next_check=due)
    events = stream_of(malloc(number, 8) for number in range(6))
    assert play(state, run, events) == (due, Stop.CHECK)
    run.driver[0].next_check = NEVER
    set_due(run)
    assert play(state, run, events, due) == (6, Stop.END)


def test_samples_are_taken_at_their_interval(state: HeapState) -> None:
    run = new_run(next_sample=3, interval=4)
    play(state, run, stream_of(malloc(number, 8) for number in range(13)))
    samples = taken_samples(run)
    assert samples["event"].tolist() == [3, 7, 11]
    assert samples["live"].tolist() == [24, 56, 88]


def test_full_buffer_stops_after_the_event_of_its_last_sample(state: HeapState) -> None:
    run = new_run(samples=2, next_sample=1, interval=1)
    events = stream_of(malloc(number, 8) for number in range(5))
    found = []
    position, stop = play(state, run, events)
    while stop == Stop.SAMPLES:
        found += taken_samples(run)["event"].tolist()
        position, stop = play(state, run, events, position)
    found += taken_samples(run)["event"].tolist()
    assert (position, stop, found) == (5, Stop.END, [1, 2, 3, 4, 5])


@pytest.fixture(params=[mixed_sizes, few_sizes], ids=["mixed sizes", "few sizes"])
def calls(request: pytest.FixtureRequest) -> list[Call]:
    """A random stream of three threads."""
    return random_calls(5, STEPS, threads=3, sizes=request.param)


def test_live_bytes_are_the_plain_sum(state: HeapState, calls: list[Call]) -> None:
    run = new_run(samples=STEPS, next_sample=1, interval=1)
    assert play(state, run, stream_of(calls)) == (STEPS, Stop.SAMPLES)
    live = live_after(calls)
    assert run.driver[0].live == live[-1]
    assert taken_samples(run)["live"].tolist() == live


def test_peak_live_is_the_highest_sum(state: HeapState, calls: list[Call]) -> None:
    run = new_run()
    peaks = list(accumulate(live_after(calls), max))
    borders = [*range(0, STEPS, STEPS // 10), STEPS]
    for begin, end in pairwise(borders):
        play(state, run, stream_of(calls[begin:end]))
        assert run.driver[0].peak_live == peaks[end - 1]


def test_parts_of_every_sample_sum_to_the_heap(state: HeapState, calls: list[Call]) -> None:
    run = new_run(samples=STEPS, next_sample=1, interval=1)
    play(state, run, stream_of(calls))
    samples = taken_samples(run)
    assert len(samples) == STEPS
    require_exact(samples)
    assert all((samples[name] >= 0).all() for name in samples.dtype.names)


def test_peak_is_the_sample_at_the_first_event_of_the_largest_footprint(
    state: HeapState, calls: list[Call]
) -> None:
    run = new_run(samples=STEPS, next_sample=1, interval=1)
    play(state, run, stream_of(calls))
    samples = taken_samples(run)
    assert run.peak[0].tolist() == samples[samples["footprint"].argmax()].tolist()
    assert run.driver[0].peak_footprint == samples["footprint"].max()


def test_samples_do_not_depend_on_how_events_come_in_chunks(calls: list[Call]) -> None:
    def sampled(length: int) -> tuple[list[object], list[object]]:
        run = new_run(samples=STEPS, next_sample=7, interval=10)
        with Heap(reserve=RESERVE) as heap:
            for begin in range(0, STEPS, length):
                play(heap.state, run, stream_of(calls[begin : begin + length]))
        return taken_samples(run).tolist(), run.peak.tolist()

    assert sampled(STEPS) == sampled(37)


def touched(touch: Touch, length: int) -> list[int]:
    """The offsets that the program writes in an object at the start of a page, as promised."""
    promised = {
        Touch.NONE: [],
        Touch.FIRST: [0],
        Touch.PAGE: list(range(0, length, PAGE)),
        Touch.FULL: list(range(length)),
    }[touch]
    return promised if length else []


LENGTHS = [0, 1, 8, 100, 4095, 4096, 4097, 32768, 40_000]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("touch", Touch, ids=lambda touch: touch.name)
def test_exactly_the_promised_bytes_are_touched(
    heap: Heap, state: HeapState, touch: Touch, length: int
) -> None:
    run = new_run(touch=touch)
    play(state, run, stream(malloc(0, length), malloc(1, 1)))
    assert run.objects[0].address % PAGE == 0
    address = int(run.objects[0].address)
    written = contents(heap, address, operations.usable_size(state, address))
    assert np.flatnonzero(written).tolist() == touched(touch, length)
    assert set(written[written != 0].tolist()) <= {TOUCHED}
    assert heap.check() == [], "what lies behind the object was written"


@pytest.mark.parametrize("op", [Op.MALLOC, Op.CALLOC, Op.MEMALIGN])
def test_fresh_object_of_every_kind_is_touched(heap: Heap, state: HeapState, op: Op) -> None:
    run = new_run(touch=Touch.FULL)
    play(state, run, stream(Call(op, 0, 50)))
    assert contents(heap, int(run.objects[0].address), 50).tolist() == [TOUCHED] * 50


@pytest.mark.parametrize("touch", Touch, ids=lambda touch: touch.name)
def test_resized_object_keeps_its_bytes_and_is_touched(
    heap: Heap, state: HeapState, touch: Touch
) -> None:
    run = new_run(touch=touch)
    play(state, run, stream(malloc(0, 100)))
    contents(heap, int(run.objects[0].address), 100)[:] = 5
    play(state, run, stream(realloc(0, 40_000)))
    expected = np.array([5] * 100 + [0] * 39_900)
    expected[touched(touch, 40_000)] = TOUCHED
    assert contents(heap, int(run.objects[0].address), 40_000).tolist() == expected.tolist()


def test_object_across_a_page_border_is_touched_in_each_of_its_pages(
    heap: Heap, state: HeapState
) -> None:
    run = new_run(touch=Touch.PAGE)
    play(state, run, stream(malloc(0, 3584), malloc(1, 3584)))
    assert run.objects[1].address % PAGE == 3584
    written = contents(heap, heap.memory.address, 2 * PAGE)
    assert written[3584:PAGE].any()
    assert written[PAGE : 3584 * 2].any()


@pytest.mark.parametrize("length", LENGTHS)
def test_verified_object_is_stamped_from_end_to_end(
    heap: Heap, state: HeapState, length: int
) -> None:
    run = new_run(verify=1, touch=Touch.FIRST, zeroed=1)
    play(state, run, stream(malloc(6, length)))
    assert is_stamped(int(run.objects[6].address), length, 6)
    play(state, run, stream(realloc(6, 2 * length)))
    assert is_stamped(int(run.objects[6].address), 2 * length, 6)
    assert play(state, run, stream(free(6))) == (1, Stop.END)


def test_verified_stream_ends_well(state: HeapState, calls: list[Call]) -> None:
    run = new_run(verify=1, zeroed=1)
    assert play(state, run, stream_of(calls)) == (STEPS, Stop.END)
    assert run.driver[0].live == live_after(calls)[-1]


SEEDS, SOAK, CHECKS = (4, 100, 2) if PURE else (20, 100_000, 10)
"""Seeds, events of each, and checks of all invariants among them: 2,000,000 events compiled."""


def soak_calls(seed: int) -> list[Call]:
    """A stream of a few sizes and alignments, other ones for each seed: few objects lie free."""
    rng = random.Random(seed)
    chosen = [few_sizes(rng) for _ in range(4)] + [100_000]
    exponents = [0, any_alignment(rng, 0)]
    return random_calls(
        seed,
        SOAK,
        threads=2,
        sizes=lambda rng: rng.choice(chosen),
        alignments=lambda rng, _: rng.choice(exponents),
    )


@pytest.mark.parametrize("seed", range(SEEDS))
def test_heap_stays_sound_over_many_random_events(heap: Heap, seed: int) -> None:
    every = SOAK // CHECKS
    run = new_run(next_check=every, verify=1, zeroed=1)
    events, position, checks = stream_of(soak_calls(seed)), 0, 0
    while position < len(events):
        position, stop = play(heap.state, run, events, position)
        assert stop == Stop.CHECK
        assert heap.check() == []
        checks += 1
        run.driver[0].next_check += every
        set_due(run)
    assert checks == CHECKS
