"""Births and deaths: a population of objects whose sizes are born and die at rates of their own.

Below `empirical`. By Little's law a size with `births` per time and `live` objects at a time has
objects that live `live / births`; so each birth falls on a size by its rate, and each death by its
objects' count times what one of them weighs, the inverse of its life. Its one rule: all of it is
integer arithmetic on random words, so a seed gives the same events everywhere.

A row holds the objects of a size. Its `room` numbers, from `first` on, are in `numbers` at the same
places, those of its `count` live objects in front; so a number is taken and given back by a swap.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.events import Op
from allocsim.generators.rates import Rate

ROW = np.dtype(
    [
        ("request", np.int64),  # bytes of an object
        ("births", np.int64),  # weight of a birth in this row or one before it
        ("founders", np.int64),  # the same for the objects that live at the beginning
        ("death", np.int64),  # weight of the death of one of its objects, FINE times finer
        ("first", np.int64),  # its first number
        ("room", np.int64),  # its numbers; more objects than that never live
        ("count", np.int64),  # its live objects
    ],
    align=True,
)

STATE = np.dtype(
    [
        ("deaths", np.int64),  # weight of a death of any object
        ("live", np.int64),  # bytes that live
        ("events", np.int64),  # events written to the current output
    ],
    align=True,
)

WHOLE = 1 << 31
"""Weight of all births, more or less: each weight is rounded, and is at least 1."""

FINE = 12
"""Bits by which weights of deaths are finer than those of births."""


class Population(NamedTuple):
    """The state of a run."""

    state: np.recarray  # one STATE
    rows: np.recarray  # ROW
    deaths: np.ndarray  # int64, a Fenwick tree of count * death by row, from 1 on
    numbers: np.ndarray  # uint32, the objects' numbers; see above


def populate(rates: list[Rate], heap: int) -> Population:
    """An empty population that, once it is founded, holds `heap` bytes on average."""
    scale = heap / sum(rate.size * rate.live for rate in rates)
    rows = np.zeros(len(rates), ROW).view(np.recarray)
    average = [rate.live * scale for rate in rates]
    births = _weights([rate.births for rate in rates])
    rows.request[:] = [rate.size for rate in rates]
    rows.births[:] = np.cumsum(births)
    rows.founders[:] = np.cumsum(_weights(average))
    rows.death[:] = [_death(*row) for row in zip(births, average, strict=True)]
    rows.room[:] = [room(objects) for objects in average]
    rows.first[:] = np.cumsum(rows.room) - rows.room
    return Population(
        np.zeros(1, STATE).view(np.recarray),
        rows,
        np.zeros((1 << len(rates).bit_length()) + 1, np.int64),
        np.arange(rows.room.sum(), dtype=np.uint32),
    )


def room(average: float) -> int:
    """More objects than live at once, but by a chance of less than 1 in 10**13.

    Their number has Poisson's law; the 32 serve where fewer than one lives on average.
    """
    return int(average + 8 * average**0.5) + 32


def _weights(shares: list[float]) -> list[int]:
    """The shares in integers that sum to about WHOLE; none but 0 becomes 0."""
    total = sum(shares)
    return [max(round(share / total * WHOLE), 1) if share else 0 for share in shares]


def _death(births: int, average: float) -> int:
    """What the death of an object weighs where so many live on average.

    Where next to none lives, an object is as likely to die as any other event is to come.
    """
    certain = WHOLE << FINE
    return min(max(round((births << FINE) / average), 1), certain) if average else certain


@kernel
def found(population: Population, words: np.ndarray, heap: int, events: np.recarray) -> None:
    """Begin with objects drawn as they live, until `heap` bytes do or the words are used up."""
    state, rows = population.state[0], population.rows
    state.events = 0
    for word in range(len(words)):
        if state.live >= heap:
            break
        drawn = ((words[word] >> 32) * rows[len(rows) - 1].founders) >> 31
        row = _first_above(rows.founders, drawn)
        if rows[row].count < rows[row].room:
            _birth(population, row, events[state.events])
            state.events += 1


@kernel
def step(population: Population, which: np.ndarray, where: np.ndarray, events: np.recarray) -> None:
    """Fill `events` by the weights of births and deaths; `where` says which object dies."""
    state, rows = population.state[0], population.rows
    births = rows[len(rows) - 1].births << FINE
    for place in range(len(events)):
        drawn = which[place] % (births + state.deaths)
        if drawn < births:
            row = _first_above(rows.births, drawn >> FINE)
        else:
            row = _dying(population.deaths, drawn - births)
        if drawn < births and rows[row].count < rows[row].room:
            _birth(population, row, events[place])
        else:
            _death_of_one(population, row, where[place], events[place])


@kernel
def _birth(population: Population, number: int, event: np.record) -> None:
    """An object of the row comes to life."""
    row = population.rows[number]
    event.op = Op.MALLOC
    event.request = row.request
    event.object = population.numbers[row.first + row.count]
    row.count += 1
    population.state[0].live += row.request
    _weigh(population, number, row.death)


@kernel
def _death_of_one(population: Population, number: int, word: int, event: np.record) -> None:
    """One of the objects of the row, each as likely, dies."""
    row, numbers = population.rows[number], population.numbers
    place = row.first + (((word & 0xFFFFFFFF) * row.count) >> 32)
    last = row.first + row.count - 1
    dying = numbers[place]
    numbers[place] = numbers[last]
    numbers[last] = dying
    event.op = Op.FREE
    event.request = 0
    event.object = dying
    row.count -= 1
    population.state[0].live -= row.request
    _weigh(population, number, -row.death)


@kernel
def _weigh(population: Population, row: int, weight: int) -> None:
    """Add to the weight of the deaths of a row."""
    population.state[0].deaths += weight
    tree, place = population.deaths, row + 1
    while place < len(tree):
        tree[place] += weight
        place += place & -place


@kernel
def _dying(tree: np.ndarray, drawn: int) -> int:
    """The row in which the weights of deaths, summed from the first row on, pass `drawn`."""
    place, stride = 0, (len(tree) - 1) >> 1
    while stride:
        if tree[place + stride] <= drawn:
            place += stride
            drawn -= tree[place]
        stride >>= 1
    return place


@kernel
def _first_above(sums: np.ndarray, drawn: int) -> int:
    """The first row whose sum is greater than `drawn`, which is less than the last."""
    low, high = 0, len(sums) - 1
    while low < high:
        middle = (low + high) >> 1
        if sums[middle] > drawn:
            high = middle
        else:
            low = middle + 1
    return low


def words_of(bits: Any) -> Any:
    """Random words as the kernels take them: 63 bits, as int64."""
    return (bits >> np.uint64(1)).astype(np.int64)
