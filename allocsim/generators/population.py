"""A population of objects in a steady state: each size is allocated and freed at its own rate.

By Little's law, a size that is allocated at rate r with n live objects has a mean lifetime of
n / r. An allocation picks a size with a probability proportional to its r. A free picks a size
with a probability proportional to its current number of live objects / its mean lifetime.
All draws are integer arithmetic on random words, so a seed gives the same events on every machine.

A row holds the objects of one size. It owns `capacity` object ids, which occupy the positions of
`ids` from `first` on. The ids of its `count` live objects come first. An allocation takes the next
id; a free swaps the freed id with the last live id.
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
        ("allocations", np.int64),  # weights of allocations, summed over this and earlier rows
        ("initial", np.int64),  # weights in the initial population, summed likewise
        ("free", np.int64),  # weight of freeing one object of the row, scaled by 2**FREE_BITS
        ("first", np.int64),  # first position of the row in `ids`
        ("capacity", np.int64),  # number of object ids: the maximum of live objects
        ("count", np.int64),  # number of live objects
    ],
    align=True,
)
"""The objects of one size."""

STATE = np.dtype(
    [
        ("frees", np.int64),  # weight of freeing any object: sum of `count * free` over the rows
        ("live", np.int64),  # live bytes
        ("events", np.int64),  # number of events written to the current output
    ],
    align=True,
)
"""Totals over all rows."""

TOTAL_WEIGHT = 1 << 31
"""Approximate sum of the weights of allocations. Each weight is rounded to an integer."""

FREE_BITS = 12
"""Number of fraction bits in a weight of a free. Such a weight is per object, so it is small if a
size has many objects; without a fraction, rounding would change it too much."""


class Population(NamedTuple):
    """The state of a generator."""

    state: np.recarray  # one STATE
    rows: np.recarray  # ROW
    frees: np.ndarray  # int64: Fenwick tree of `count * free` over the rows; entry 0 is unused
    ids: np.ndarray  # uint32: the object ids of all rows (see the module's docstring)


def populate(rates: list[Rate], heap: int) -> Population:
    """Return an empty population that, once filled, has `heap` live bytes on average."""
    scale = heap / sum(rate.size * rate.live for rate in rates)
    rows = np.zeros(len(rates), ROW).view(np.recarray)
    average = [rate.live * scale for rate in rates]
    allocations = _weights([rate.allocations for rate in rates])
    rows.request[:] = [rate.size for rate in rates]
    rows.allocations[:] = np.cumsum(allocations)
    rows.initial[:] = np.cumsum(_weights(average))
    rows.free[:] = [_free_weight(*row) for row in zip(allocations, average, strict=True)]
    rows.capacity[:] = [capacity(objects) for objects in average]
    rows.first[:] = np.cumsum(rows.capacity) - rows.capacity
    return Population(
        np.zeros(1, STATE).view(np.recarray),
        rows,
        # `_row_to_free` searches by halving, so the number of entries, without the unused entry 0,
        # is a power of two greater than the number of rows.
        np.zeros((1 << len(rates).bit_length()) + 1, np.int64),
        np.arange(rows.capacity.sum(), dtype=np.uint32),
    )


def capacity(average: float) -> int:
    """Return the capacity of a row that has `average` live objects on average.

    The number of live objects has a Poisson distribution, and exceeds the capacity with a
    probability below 10**-13. The capacity is `average` plus 8 standard deviations plus 32. The 32
    matters for sizes with less than one live object on average.
    """
    return int(average + 8 * average**0.5) + 32


def _weights(shares: list[float]) -> list[int]:
    """Scale the shares to integers that sum to about TOTAL_WEIGHT; only a share of 0 becomes 0."""
    total = sum(shares)
    return [max(round(share / total * TOTAL_WEIGHT), 1) if share else 0 for share in shares]


def _free_weight(allocations: int, average: float) -> int:
    """Return the weight of freeing one object of a size with `average` live objects.

    The weight is at most the weight of all allocations together. An object gets this maximum if the
    mean lifetime of its size is near 0. If no other object is live, each event then frees it with
    a probability of one half.
    """
    maximum = TOTAL_WEIGHT << FREE_BITS
    return min(max(round((allocations << FREE_BITS) / average), 1), maximum) if average else maximum


@kernel
def fill(population: Population, words: np.ndarray, heap: int, events: np.recarray) -> None:
    """Allocate the initial population, until `heap` bytes are live or the words are used up.

    Sizes are drawn in proportion to their average number of live objects.
    """
    state, rows = population.state[0], population.rows
    state.events = 0
    for word in range(len(words)):
        if state.live >= heap:
            break
        # The upper 31 bits of the word, divided by 2**31, are a fraction below 1. Its product with
        # the last sum of `initial` is therefore below that sum.
        drawn = ((words[word] >> 32) * rows[len(rows) - 1].initial) >> 31
        row = _first_above(rows.initial, drawn)
        if rows[row].count < rows[row].capacity:
            _allocate(population, row, events[state.events])
            state.events += 1


@kernel
def step(
    population: Population, row_words: np.ndarray, object_words: np.ndarray, events: np.recarray
) -> None:
    """Fill `events` with allocations and frees, drawn by weight.

    For each event, a word of `row_words` picks the row, and whether to allocate or to free. The low
    half of a word of `object_words` picks the object to free. If an allocation would overflow its
    row, an object of that row is freed instead.
    """
    state, rows = population.state[0], population.rows
    allocations = rows[len(rows) - 1].allocations << FREE_BITS
    for index in range(len(events)):
        # A word has 63 bits, far more than the sum of the weights, so the modulo is hardly biased.
        drawn = row_words[index] % (allocations + state.frees)
        if drawn < allocations:
            row = _first_above(rows.allocations, drawn >> FREE_BITS)
        else:
            row = _row_to_free(population.frees, drawn - allocations)
        if drawn < allocations and rows[row].count < rows[row].capacity:
            _allocate(population, row, events[index])
        else:
            _free(population, row, object_words[index], events[index])


@kernel
def _allocate(population: Population, number: int, event: np.record) -> None:
    """Write the allocation of an object of the row to `event`."""
    row = population.rows[number]
    event.op = Op.MALLOC
    event.request = row.request
    event.object = population.ids[row.first + row.count]
    row.count += 1
    population.state[0].live += row.request
    _add_weight(population, number, row.free)


@kernel
def _free(population: Population, number: int, word: int, event: np.record) -> None:
    """Write the free of a random object of the row to `event`."""
    row, ids = population.rows[number], population.ids
    position = row.first + (((word & 0xFFFFFFFF) * row.count) >> 32)
    last = row.first + row.count - 1
    freed = ids[position]
    ids[position] = ids[last]
    ids[last] = freed
    event.op = Op.FREE
    event.request = 0
    event.object = freed
    row.count -= 1
    population.state[0].live -= row.request
    _add_weight(population, number, -row.free)


@kernel
def _add_weight(population: Population, row: int, weight: int) -> None:
    """Add `weight` to the weight of freeing any object of a row."""
    population.state[0].frees += weight
    tree, index = population.frees, row + 1
    # The entries visited are those whose sums include the row (Fenwick tree).
    while index < len(tree):
        tree[index] += weight
        index += index & -index


@kernel
def _row_to_free(tree: np.ndarray, drawn: int) -> int:
    """Return the first row at which the running sum of the weights of frees exceeds `drawn`."""
    index, stride = 0, (len(tree) - 1) >> 1
    while stride:
        if tree[index + stride] <= drawn:
            index += stride
            drawn -= tree[index]
        stride >>= 1
    return index


@kernel
def _first_above(sums: np.ndarray, drawn: int) -> int:
    """Return the first row whose sum is greater than `drawn`; `drawn` is less than the last sum."""
    low, high = 0, len(sums) - 1
    while low < high:
        middle = (low + high) >> 1
        if sums[middle] > drawn:
            high = middle
        else:
            low = middle + 1
    return low


def words_of(bits: Any) -> Any:
    """Return random words as the kernels expect them: 63 bits, as int64."""
    return (bits >> np.uint64(1)).astype(np.int64)
