"""The share of each live object in the free bytes of its units (spans or pages, see `heap_map`).

The free bytes of a unit cannot be used elsewhere while any of its objects is live. They are divided
equally among the live objects of the unit. An object's share is its Shapley value in the game in
which every non-empty set of live objects costs all the free bytes. Live bytes and rounding are not
shared: each object owns its own.

Shares are integers that sum to the free bytes. If a unit has R free bytes and k objects, in order
of address, object j (from 0) gets floor(R(j+1)/k) - floor(Rj/k).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocsim.core.jit import kernel
from allocsim.errors import Corruption
from allocsim.explanation.heap_map import HeapMap


@dataclass(frozen=True)
class Shares:
    """The shares of a heap map. Arrays are int64.

    The units of an object are those that contain bytes of it. They are consecutive in the map.
    """

    pinned: np.ndarray
    """Share of each object in the free bytes of its units, in bytes."""
    untouched: np.ndarray
    """Bytes of each object that are in no unit, because their pages are not resident."""
    objects: np.ndarray
    """Number of live objects in each unit."""
    first_unit: np.ndarray
    """Index of each object's first unit."""
    units: np.ndarray
    """Number of units of each object."""


def share_out(heap: HeapMap) -> Shares:
    """Divide the free bytes of each unit among its objects.

    Raises Corruption if the objects of a unit have more bytes than the unit, and so overlap.
    """
    free, objects = heap.unit_length.copy(), np.zeros(len(heap.unit_length), np.int64)
    pinned, first_unit, units = (np.zeros(len(heap.address), np.int64) for _ in range(3))
    untouched = heap.usable.copy()
    place(
        (heap.address, heap.usable),
        (heap.unit_address, heap.unit_length),
        (first_unit, units, untouched),
        (free, objects),
    )
    if len(free) and free.min() < 0:
        where = heap.unit_address[free.argmin()]
        raise Corruption(f"live objects overlap at {where:#x}, after event {heap.event}")
    divide((first_unit, units), (free, objects), np.zeros_like(free), pinned)
    return Shares(pinned, untouched, objects, first_unit, units)


def sums(index: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return the sum of the values for each index below `count`. Sums are exact up to 2**53."""
    return np.bincount(index, values, minlength=count).astype(np.int64)


Pair = tuple[np.ndarray, np.ndarray]


@kernel
def place(
    objects: Pair, units: Pair, placed: tuple[np.ndarray, np.ndarray, np.ndarray], use: Pair
) -> None:
    """Find the units of each object, in one pass.

    `objects` and `units` are (address, length); both must be sorted and free of overlaps. The
    results are `placed`, which is (first unit, number of units, bytes in no unit) of each object,
    and `use`, which is (free bytes, number of objects) of each unit. Before the call, set the free
    bytes to the lengths of the units, the bytes in no unit to the lengths of the objects, and the
    numbers of objects to 0.
    """
    (address, usable), (unit_address, unit_length) = objects, units
    (first_unit, unit_count, untouched), (free, count) = placed, use
    unit = 0
    for index in range(len(address)):
        begin, end = address[index], address[index] + usable[index]
        while unit < len(unit_address) and unit_address[unit] + unit_length[unit] <= begin:
            unit += 1
        covered = unit
        while covered < len(unit_address) and unit_address[covered] < end:
            unit_end = unit_address[covered] + unit_length[covered]
            inside = min(end, unit_end) - max(begin, unit_address[covered])
            free[covered] -= inside
            untouched[index] -= inside
            count[covered] += 1
            covered += 1
        first_unit[index], unit_count[index] = unit, covered - unit


@kernel
def divide(units_of: Pair, use: Pair, done: np.ndarray, pinned: np.ndarray) -> None:
    """Add each object's share in the free bytes of its units to `pinned`.

    `units_of` is (first unit, number of units) of each object, and `use` is (free bytes, number of
    objects) of each unit. `done` counts the objects of each unit so far, and must be all 0 at the
    beginning. Object j of k gets floor(R(j+1)/k) - floor(Rj/k) of R free bytes. With R = qk + r,
    this is q + floor(r(j+1)/k) - floor(rj/k), and r * k does not overflow.
    """
    (first_unit, unit_count), (free, count) = units_of, use
    for index in range(len(pinned)):
        for unit in range(first_unit[index], first_unit[index] + unit_count[index]):
            rank, among = done[unit], count[unit]
            done[unit] += 1
            whole = free[unit] // among
            rest = free[unit] - whole * among
            pinned[index] += whole + rest * (rank + 1) // among - rest * rank // among
