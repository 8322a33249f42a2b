"""Random streams: the driver's figures equal sums made in Python, and the heap stays valid."""

import random
from itertools import accumulate, pairwise

import pytest

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.core.records import HeapState
from allocsim.driver import Stop
from allocsim.profile import require_exact
from tests.conftest import RESERVE, SCALE
from tests.driving import (
    Call,
    any_alignment,
    few_sizes,
    live_after,
    mixed_sizes,
    new_run,
    play,
    random_calls,
    set_due,
    stream_of,
    taken_samples,
)

STEPS = 100 * SCALE


@pytest.fixture(params=[mixed_sizes, few_sizes], ids=["mixed sizes", "few sizes"])
def calls(request: pytest.FixtureRequest) -> list[Call]:
    """A random stream of three threads."""
    return random_calls(5, STEPS, threads=3, sizes=request.param)


@pytest.mark.slow
def test_live_bytes_are_the_plain_sum(fresh: HeapState, calls: list[Call]) -> None:
    run = new_run(samples=STEPS, next_sample=1, interval=1)
    assert play(fresh, run, stream_of(calls)) == (STEPS, Stop.SAMPLES)
    live = live_after(calls)
    assert run.driver[0].live == live[-1]
    assert taken_samples(run)["live"].tolist() == live


@pytest.mark.slow
def test_peak_live_is_the_highest_sum(fresh: HeapState, calls: list[Call]) -> None:
    run = new_run()
    peaks = list(accumulate(live_after(calls), max))
    borders = [*range(0, STEPS, STEPS // 10), STEPS]
    for begin, end in pairwise(borders):
        play(fresh, run, stream_of(calls[begin:end]))
        assert run.driver[0].peak_live == peaks[end - 1]


@pytest.mark.slow
def test_parts_of_every_sample_sum_to_the_heap(fresh: HeapState, calls: list[Call]) -> None:
    run = new_run(samples=STEPS, next_sample=1, interval=1)
    play(fresh, run, stream_of(calls))
    samples = taken_samples(run)
    assert len(samples) == STEPS
    require_exact(samples)
    assert all((samples[name] >= 0).all() for name in samples.dtype.names or ())


@pytest.mark.slow
def test_peak_is_the_sample_at_the_first_event_of_the_largest_footprint(
    fresh: HeapState, calls: list[Call]
) -> None:
    run = new_run(samples=STEPS, next_sample=1, interval=1)
    play(fresh, run, stream_of(calls))
    samples = taken_samples(run)
    assert run.peak[0].tolist() == samples[samples["footprint"].argmax()].tolist()
    assert run.driver[0].peak_footprint == samples["footprint"].max()


@pytest.mark.slow
def test_samples_do_not_depend_on_how_events_come_in_chunks(calls: list[Call]) -> None:
    def sampled(length: int) -> tuple[list[object], list[object]]:
        run = new_run(samples=STEPS, next_sample=7, interval=10)
        with Heap(reserve=RESERVE) as heap:
            for begin in range(0, STEPS, length):
                play(heap.state, run, stream_of(calls[begin : begin + length]))
        return taken_samples(run).tolist(), run.peak.tolist()

    assert sampled(STEPS) == sampled(37)


@pytest.mark.slow
def test_verified_stream_ends_well(fresh: HeapState, calls: list[Call]) -> None:
    run = new_run(verify=1, zeroed=1)
    assert play(fresh, run, stream_of(calls)) == (STEPS, Stop.END)
    assert run.driver[0].live == live_after(calls)[-1]


SEEDS, SOAK, CHECKS = (4, 100, 2) if PURE else (20, 100_000, 10)
"""Number of seeds. For each seed: number of events, and how often all invariants are checked. In
compiled code, 2,000,000 events are replayed in all."""


def soak_calls(seed: int) -> list[Call]:
    """Return a stream with at most five sizes and two alignments, so that few objects are free."""
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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_heap_stays_valid_over_many_random_events(heap: Heap, seed: int) -> None:
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
