"""Shares and owners, compared with Shapley values by brute force and with other slow models.

A unit is the smallest piece of memory that can be released (see `heap_map`); here it is a page.
"""

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from allocsim.errors import Corruption
from allocsim.explanation.heap_map import HeapMap, by_address, map_from
from allocsim.explanation.owners import owners_by
from allocsim.explanation.shares import share_out
from tests.explanation.patterns import labels_of

PAGE = 4096


def random_map(rng: random.Random, objects: int, pages: int) -> HeapMap:
    """Return a map with objects at random addresses. Random pages are missing from the map."""
    cuts = sorted(rng.sample(range(0, pages * PAGE, 16), 2 * objects))
    begins, ends = np.array(cuts[0::2], np.int64), np.array(cuts[1::2], np.int64)
    resident = np.array([page for page in range(pages) if rng.random() < 0.8], np.int64)
    order = np.array(rng.sample(range(objects), objects), np.int64)
    usable = (ends - begins)[order]
    return map_from(
        by_address((order, begins[order], np.maximum(usable - 7, 1), usable)),
        (resident * PAGE, np.full(len(resident), PAGE), np.zeros(len(resident), np.int64)),
        ("empty",),
        {"start": 5},
        (0, len(resident) * PAGE + 5),
    )


def units_of(heap: HeapMap, index: int) -> set[int]:
    """Return the units that contain a byte of the object."""
    begin, end = int(heap.address[index]), int(heap.address[index] + heap.usable[index])
    pages = zip(heap.unit_address.tolist(), heap.unit_length.tolist(), strict=True)
    return {unit for unit, (at, size) in enumerate(pages) if at < end and begin < at + size}


def free_bytes(heap: HeapMap, unit: int) -> int:
    """Return the bytes of a unit that are in no object."""
    begin = int(heap.unit_address[unit])
    used = [
        max(0, min(int(a + u), begin + PAGE) - max(int(a), begin))
        for a, u in zip(heap.address, heap.usable, strict=True)
    ]
    return PAGE - sum(used)


def shapley(heap: HeapMap) -> list[Fraction]:
    """Return each object's Shapley value. A set of objects is worth the free bytes in its units."""
    count = len(heap.number)
    units = [units_of(heap, index) for index in range(count)]
    free = [free_bytes(heap, unit) for unit in range(len(heap.unit_address))]
    worth = [
        sum(free[u] for u in set().union(*(units[i] for i in range(count) if group >> i & 1)))
        for group in range(1 << count)
    ]
    values = [Fraction(0)] * count
    for group in range(1 << count):
        size = group.bit_count()
        for index in range(count):
            if not group >> index & 1:
                weight = Fraction(
                    math.factorial(size) * math.factorial(count - size - 1), math.factorial(count)
                )
                values[index] += weight * (worth[group | 1 << index] - worth[group])
    return values


@pytest.mark.parametrize("seed", range(12))
def test_shares_are_shapley_values_rounded_so_that_they_sum(seed: int) -> None:
    rng = random.Random(seed)
    heap = random_map(rng, rng.randint(1, 6), rng.randint(1, 5))
    shares, exact = share_out(heap), shapley(heap)
    assert int(shares.pinned.sum()) == sum(exact)
    for index, value in enumerate(exact):
        assert abs(int(shares.pinned[index]) - value) < len(units_of(heap, index)) or value == 0
    inside = heap.usable - shares.untouched
    assert int(inside.sum() + shares.pinned.sum()) == sum(
        PAGE for unit in range(len(heap.unit_address)) if shares.objects[unit]
    )


@pytest.mark.parametrize("seed", range(8))
def test_units_of_one_group_and_of_any_group_bound_what_it_owns(seed: int) -> None:
    rng = random.Random(seed)
    heap = random_map(rng, 40, 20)
    group = np.array([rng.randrange(3) for _ in range(40)])
    rows = owners_by(heap, share_out(heap), labels_of(["0", "1", "2"], group))
    for row in rows:
        is_mine = (group == int(row.name)).tolist()
        mine, other = set[int](), set[int]()
        for index in range(40):
            (mine if is_mine[index] else other).update(units_of(heap, index))
        assert (row.only, row.some) == (PAGE * len(mine - other), PAGE * len(mine))
        assert row.only <= row.owned <= row.some


def test_overlapping_objects_and_wrong_totals_are_reported() -> None:
    two = np.array([0, 1]), np.array([0, 50]), np.array([4000, 4000]), np.array([4000, 4000])
    one = np.array([0]), np.array([PAGE]), np.array([0])
    with pytest.raises(Corruption, match="overlap"):
        share_out(map_from(two, one, ("empty",), {}, (3, PAGE)))
    with pytest.raises(Corruption, match="sum to 4096"):
        map_from(two, one, ("empty",), {}, (3, PAGE + 1))


def test_shares_of_large_units_do_not_overflow() -> None:
    objects = np.arange(3), np.arange(3) * 100, np.full(3, 10), np.full(3, 10)
    unit = np.array([0]), np.array([(1 << 45) + 1]), np.array([0])
    shares = share_out(map_from(objects, unit, ("empty",), {}, (0, (1 << 45) + 1)))
    assert int(shares.pinned.sum()) == (1 << 45) + 1 - 30
    assert np.ptp(shares.pinned) <= 1
