"""Births and deaths: weights, numbers that are never two objects', draws by weight."""

import numpy as np
import pytest

from allocsim.events import no_events
from allocsim.generators import random_bits
from allocsim.generators.population import (
    FINE,
    WHOLE,
    Population,
    found,
    populate,
    room,
    step,
    words_of,
)
from allocsim.generators.rates import Rate
from tests.conftest import SCALE

RATES = [Rate(100, 3, 10), Rate(16, 60, 50), Rate(1000, 0, 1), Rate(8, 1, 0), Rate(24, 36, 30)]


def grown(steps: int = 100 * SCALE, heap: int = 20_000) -> Population:
    """A population after some steps."""
    population, bits = populate(RATES, heap), np.random.PCG64(1)
    found(population, words_of(random_bits(bits, 2000)), heap, no_events(2000))
    words = [words_of(random_bits(bits, steps)) for _ in range(2)]
    step(population, *words, no_events(steps))
    return population


def test_room_is_more_than_ever_lives() -> None:
    assert room(0) == 32
    assert room(10_000) == 10_832


def test_births_weigh_by_their_rates() -> None:
    weights = np.diff(populate(RATES, 1000).rows.births, prepend=0)
    assert weights.tolist() == [round(WHOLE * rate.births / 100) for rate in RATES]


def test_life_is_what_littles_law_says() -> None:
    """In the steady state a size's deaths weigh what its births do: births = live * death."""
    population = populate(RATES, 5_000_000)
    scale = 5_000_000 / sum(rate.size * rate.live for rate in RATES)
    for rate, row, births in zip(
        RATES, population.rows, np.diff(population.rows.births, prepend=0), strict=True
    ):
        if rate.births and rate.live:
            assert rate.live * scale * row.death == pytest.approx(int(births) << FINE, rel=1e-3)


def test_rare_row_still_weighs_something() -> None:
    population = populate([Rate(8, 1e12, 1e12), Rate(16, 1e-9, 1e-9)], 10**6)
    assert np.diff(population.rows.births, prepend=0).tolist() == [WHOLE, 1]
    assert np.diff(population.rows.founders, prepend=0).tolist() == [WHOLE, 1]


def test_weights_of_deaths_are_those_of_the_live_objects() -> None:
    population = grown()
    rows = population.rows
    assert population.state[0].deaths == (rows["count"] * rows.death).sum()
    assert population.state[0].live == (rows["count"] * rows.request).sum()
    for row in range(len(rows)):
        before, place = 0, row + 1
        while place:
            before += int(population.deaths[place])
            place -= place & -place
        assert before == (rows["count"] * rows.death)[: row + 1].sum()


def test_numbers_of_a_row_stay_its_own() -> None:
    population = grown()
    for row in population.rows:
        mine = population.numbers[row.first : row.first + row.room]
        assert sorted(mine.tolist()) == list(range(row.first, row.first + row.room))


def test_founding_stops_at_the_heap() -> None:
    population, events = populate(RATES, 20_000), no_events(2000)
    found(population, words_of(random_bits(np.random.PCG64(1), 2000)), 20_000, events)
    state = population.state[0]
    written = events[: state.events]
    assert state.live == written.request.sum() >= 20_000
    assert state.live - written.request[-1] < 20_000


def test_full_row_loses_an_object_instead_of_taking_one() -> None:
    population, events = populate([Rate(8, 1, 1e-9), Rate(1000, 0, 1)], 1000), no_events(1)
    rows = population.rows
    rows["count"][0] = rows.room[0]  # as if, which never happens, all of its room were used
    step(population, np.zeros(1, np.int64), np.zeros(1, np.int64), events)
    assert rows["count"][0] == rows.room[0] - 1
