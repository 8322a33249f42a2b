"""Totals of groups of live objects, in one pass over the objects of a heap map.

A unit is the smallest piece of memory that can be released: a span or an OS page (see `heap_map`).
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.shares import Shares


class Total(Struct):
    """The figures of a group, in bytes except for `objects`. See `owners.Owner` for the terms."""

    objects: Int64
    live: Int64
    usable: Int64
    pinned: Int64
    untouched: Int64
    slabs: Int64
    only: Int64
    some: Int64
    last_unit: Int64  # 1 + index of the last unit that was counted in `some`; 0 before the first


def totals(heap: HeapMap, shares: Shares, group: np.ndarray, count: int) -> Table[Total]:
    """Return the totals of `count` groups; `group` has the number of each object's group."""
    group_totals = records(Total, count)
    slab = np.zeros(0, np.int64) if heap.slab is None else heap.slab
    columns = (heap.request, heap.usable, shares.pinned, shares.untouched)
    add_objects(group, columns, slab, group_totals)
    add_units(group, (shares.first_unit, shares.units), heap.unit_length, group_totals)
    return group_totals


@kernel
def add_objects(
    group: np.ndarray, columns: tuple[np.ndarray, ...], slab: np.ndarray, group_totals: Table[Total]
) -> None:
    """Add up the objects of each group.

    `columns` is (requested bytes, usable bytes, pinned bytes, untouched bytes) of each object.
    `slab` may be empty.
    """
    request, usable, pinned, untouched = columns
    for index in range(len(group)):
        total = group_totals[group[index]]
        total.objects += 1
        total.live += request[index]
        total.usable += usable[index]
        total.pinned += pinned[index]
        total.untouched += untouched[index]
        if len(slab):
            total.slabs += slab[index]


@kernel
def add_units(
    group: np.ndarray,
    units_of: tuple[np.ndarray, np.ndarray],
    unit_length: np.ndarray,
    group_totals: Table[Total],
) -> None:
    """Add the length of each unit to `Total.some` of every group that has an object in the unit.

    If all objects of the unit are of one group, the length is also added to `Total.only` of this
    group. `units_of` is (first unit, number of units) of each object. The first unit of an object
    is the last unit of the previous object, or comes after that unit, so the objects of a unit are
    consecutive.
    """
    first_unit, unit_count = units_of
    # The current unit, and the group of all its objects so far; -1: several groups.
    current, holder = -1, -1
    for index in range(len(group)):
        total = group_totals[group[index]]
        for unit in range(first_unit[index], first_unit[index] + unit_count[index]):
            if unit != current:
                if holder >= 0:
                    group_totals[holder].only += unit_length[current]
                current, holder = unit, group[index]
            elif group[index] != holder:
                holder = -1
            if total.last_unit != unit + 1:
                total.last_unit = unit + 1
                total.some += unit_length[unit]
    if holder >= 0:
        group_totals[holder].only += unit_length[current]
