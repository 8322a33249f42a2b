"""The share of each live object in the free bytes of its units.

The free bytes of a unit cannot be used elsewhere while any of its objects is live. They are divided
equally among the live objects of the unit. An object's part is its Shapley value in the game in
which every non-empty set of live objects costs all the free bytes. Live bytes and rounding are not
part of the game: each object owns its own.

Shares are integers that sum to the free bytes. If a unit has R free bytes and k objects, in order
of address, object j (from 0) gets floor(R(j+1)/k) - floor(Rj/k).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocsim.errors import Corruption
from allocsim.explanation.heap_map import HeapMap


@dataclass(frozen=True)
class Shares:
    """The shares of a heap map. Arrays are int64.

    The `pair_` arrays have a row for each object and each unit that holds bytes of the object.
    """

    pinned: np.ndarray
    """Share of each object in the free bytes of its units, in bytes."""
    untouched: np.ndarray
    """Bytes of each object that are in no unit, because their pages are not resident."""
    objects: np.ndarray
    """Number of live objects in each unit."""
    pair_object: np.ndarray
    """Index of the object, in ascending order."""
    pair_unit: np.ndarray
    """Index of the unit, in ascending order."""


def share_out(heap: HeapMap) -> Shares:
    """Divide the free bytes of each unit among its objects.

    Raises Corruption if the objects of a unit have more bytes than the unit: then they overlap.
    """
    pair_object, pair_unit = _pairs(heap)
    ends = heap.unit_address + heap.unit_length
    begin = np.maximum(heap.address[pair_object], heap.unit_address[pair_unit])
    end = np.minimum((heap.address + heap.usable)[pair_object], ends[pair_unit])
    inside = end - begin
    objects = np.bincount(pair_unit, minlength=len(ends))
    free = heap.unit_length - sums(pair_unit, inside, len(ends))
    if len(free) and free.min() < 0:
        where = heap.unit_address[free.argmin()]
        raise Corruption(f"live objects overlap at {where:#x}, after event {heap.event}")
    rank = np.arange(len(pair_unit)) - (np.cumsum(objects) - objects)[pair_unit]
    share = _integer_shares(free, objects, pair_unit, rank)
    count = len(heap.address)
    return Shares(
        pinned=sums(pair_object, share, count),
        untouched=heap.usable - sums(pair_object, inside, count),
        objects=objects,
        pair_object=pair_object,
        pair_unit=pair_unit,
    )


def sums(index: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return the sum of the values for each index below `count`. Sums are exact up to 2**53."""
    return np.bincount(index, values, minlength=count).astype(np.int64)


def _pairs(heap: HeapMap) -> tuple[np.ndarray, np.ndarray]:
    """Return (object indices, unit indices), a row for each object and each unit that holds it.

    Neither objects nor units overlap, so both are ascending.
    """
    unit_ends = heap.unit_address + heap.unit_length
    ends = heap.address + heap.usable
    first = np.searchsorted(unit_ends, heap.address, "right")
    # Most objects are in a single unit. Only the others need a second search, which is slow.
    known = np.append(unit_ends, 0)[first], np.append(heap.unit_address, 1 << 62)[first]
    counts = ((known[0] >= ends) & (known[1] <= heap.address)).astype(np.int64)
    others = np.flatnonzero(counts == 0)
    last = np.searchsorted(heap.unit_address, ends[others], "left")
    counts[others] = np.maximum(last - first[others], 0)
    if len(others) == 0:
        return np.arange(len(first)), first
    pair_object = np.repeat(np.arange(len(counts)), counts)
    skipped = np.cumsum(counts) - counts
    return pair_object, np.arange(len(pair_object)) + (first - skipped)[pair_object]


def _integer_shares(
    free: np.ndarray, objects: np.ndarray, unit: np.ndarray, rank: np.ndarray
) -> np.ndarray:
    """Return floor(R(j+1)/k) - floor(Rj/k) for R free bytes, k objects and rank j, as int64.

    R and k are those of the unit of each row. With R = qk + r, this is q + floor(r(j+1)/k) -
    floor(rj/k), and r * k does not overflow.
    """
    whole, rest = np.divmod(free, np.maximum(objects, 1))
    count, left = objects[unit], rest[unit]
    shares: np.ndarray = whole[unit] + left * (rank + 1) // count - left * rank // count
    return shares
