"""The share of each live object in the free bytes of its units.

The free bytes of a unit cannot be used elsewhere while any of its objects lives. An object's share
is its Shapley value in the game in which these bytes stay until the last object is freed: the free
bytes of a unit, divided equally among its live objects. Live bytes and rounding stay with their
object, so this is not the game in which the whole unit stays.

Shares are integers that sum exactly. Of R free bytes and k objects in order of address, object j
(from 0) gets floor(R(j+1)/k) - floor(Rj/k).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocsim.errors import Corruption
from allocsim.explain.heap_map import HeapMap


@dataclass(frozen=True)
class Shares:
    """The account of a map. Arrays are int64; `pair_` arrays have a row per object and unit."""

    pinned: np.ndarray
    """Share of each object in the free bytes of its units."""
    untouched: np.ndarray
    """Bytes of each object that are in no unit: on pages that are not resident."""
    objects: np.ndarray
    """Number of live objects in each unit."""
    pair_object: np.ndarray
    """Index of an object with bytes in the unit of the same row."""
    pair_unit: np.ndarray
    """Index of the unit, in ascending order."""


def share_out(heap: HeapMap) -> Shares:
    """Divide the free bytes of each unit among its objects.

    Raises Corruption if the objects of a unit are larger than the unit, as if they overlapped.
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
    """Return the sum of the values of each index below `count`, exact up to 2**53."""
    return np.bincount(index, values, minlength=count).astype(np.int64)


def _pairs(heap: HeapMap) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the object and of the unit, for each unit that an object has bytes in.

    Neither objects nor units overlap, so both indices are ascending.
    """
    unit_ends = heap.unit_address + heap.unit_length
    ends = heap.address + heap.usable
    first = np.searchsorted(unit_ends, heap.address, "right")
    # Most objects are in one unit, and a search is slow.
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
