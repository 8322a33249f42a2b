"""Steady-state populations: weights, unique object ids, draws by weight."""

import numpy as np
import pytest

from allocsim.events import no_events
from allocsim.generators import random_bits
from allocsim.generators.population import (
    FREE_BITS,
    TOTAL_WEIGHT,
    Population,
    capacity,
    fill,
    populate,
    step,
    words_of,
)
from allocsim.generators.rates import Rate
from tests.conftest import SCALE

RATES = [Rate(100, 3, 10), Rate(16, 60, 50), Rate(1000, 0, 1), Rate(8, 1, 0), Rate(24, 36, 30)]


def grown(steps: int = 100 * SCALE, heap: int = 20_000) -> Population:
    """Return a population after some steps."""
    population, bits = populate(RATES, heap), np.random.PCG64(1)
    fill(population, words_of(random_bits(bits, 2000)), heap, no_events(2000))
    which, where = (words_of(random_bits(bits, steps)) for _ in range(2))
    step(population, which, where, no_events(steps))
    return population


def test_capacity_is_well_above_the_average() -> None:
    assert capacity(0) == 32
    assert capacity(10_000) == 10_832


def test_weights_of_allocations_are_their_rates() -> None:
    weights = np.diff(populate(RATES, 1000).rows.allocations, prepend=0)
    assert weights.tolist() == [round(TOTAL_WEIGHT * rate.allocations / 100) for rate in RATES]


def test_lifetime_follows_littles_law() -> None:
    """In the steady state, frees of a size have the same weight as its allocations."""
    population = populate(RATES, 5_000_000)
    scale = 5_000_000 / sum(rate.size * rate.live for rate in RATES)
    for rate, row, weight in zip(
        RATES, population.rows, np.diff(population.rows.allocations, prepend=0), strict=True
    ):
        if rate.allocations and rate.live:
            assert rate.live * scale * row.free == pytest.approx(int(weight) << FREE_BITS, rel=1e-3)


def test_weight_of_a_rare_row_is_at_least_1() -> None:
    population = populate([Rate(8, 1e12, 1e12), Rate(16, 1e-9, 1e-9)], 10**6)
    assert np.diff(population.rows.allocations, prepend=0).tolist() == [TOTAL_WEIGHT, 1]
    assert np.diff(population.rows.initial, prepend=0).tolist() == [TOTAL_WEIGHT, 1]


def test_weights_of_frees_are_those_of_the_live_objects() -> None:
    population = grown()
    rows = population.rows
    assert population.state[0].frees == (rows["count"] * rows.free).sum()
    assert population.state[0].live == (rows["count"] * rows.request).sum()
    for row in range(len(rows)):
        before, place = 0, row + 1
        while place:
            before += int(population.frees[place])
            place -= place & -place
        assert before == (rows["count"] * rows.free)[: row + 1].sum()


def test_object_ids_of_a_row_are_its_own() -> None:
    population = grown()
    for row in population.rows:
        mine = population.ids[row.first : row.first + row.capacity]
        assert sorted(mine.tolist()) == list(range(row.first, row.first + row.capacity))


def test_filling_stops_at_the_size_of_the_heap() -> None:
    population, events = populate(RATES, 20_000), no_events(2000)
    fill(population, words_of(random_bits(np.random.PCG64(1), 2000)), 20_000, events)
    state = population.state[0]
    written = events[: state.events]
    assert state.live == written.request.sum() >= 20_000
    assert state.live - written.request[-1] < 20_000


def test_full_row_frees_an_object_instead_of_allocating_one() -> None:
    population, events = populate([Rate(8, 1, 1e-9), Rate(1000, 0, 1)], 1000), no_events(1)
    rows = population.rows
    rows["count"][0] = rows.capacity[0]  # practically impossible in a run
    step(population, np.zeros(1, np.int64), np.zeros(1, np.int64), events)
    assert rows["count"][0] == rows.capacity[0] - 1
