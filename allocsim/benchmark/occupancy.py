"""Occupancy of a heap at one moment: the parts of its footprint, and live bytes by address.

The figures are sums over objects and over units of memory, such as pages (see
`explanation.heap_map`). No unit is divided among the objects in it, so the figures are cheap enough
to compute at many moments of a replay.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

REGION = 1 << 16
"""Bytes of address space in a region; `Occupancy.regions` has a row for each region."""

HELD = ("live", "rounding", "pinned", "untouched")
"""The parts of the footprint that live objects hold, as in `explanation.owners.parts_of`."""


class Occupancy(NamedTuple):
    """The figures of a moment. Arrays are int64, sizes are in bytes."""

    held: np.ndarray
    """Bytes of each part in HELD. `untouched` is positive here, but negative in `parts_of`."""
    unheld: np.ndarray
    """Bytes of the units without a live object, one sum for each value of their `part`."""
    regions: np.ndarray
    """A row for each region that has memory: the region's number, bytes of units, bytes of
    objects."""


def occupancy(
    objects: tuple[np.ndarray, np.ndarray, np.ndarray],
    units: tuple[np.ndarray, np.ndarray, np.ndarray],
    parts: int,
) -> Occupancy:
    """Return the occupancy of a heap.

    `objects` is (address, request, usable) and `units` is (address, length, part), both sorted by
    address. Objects do not overlap each other, nor do units. Each `part` is less than `parts`.
    """
    address, request, usable = objects
    unit_address, length, part = units
    used = _covered(address, usable, unit_address, unit_address + length)
    is_held = used > 0
    held = (
        request.sum(),
        usable.sum() - request.sum(),
        length[is_held].sum() - used.sum(),
        usable.sum() - used.sum(),
    )
    unheld = np.bincount(part[~is_held], length[~is_held], minlength=parts)
    return Occupancy(
        np.array(held, np.int64), unheld.astype(np.int64), _regions(address, usable, units)
    )


def _regions(
    address: np.ndarray, usable: np.ndarray, units: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return `Occupancy.regions`."""
    unit_address, length, _ = units
    first = unit_address // REGION
    counts = (unit_address + length - 1) // REGION - first + 1
    skipped = np.cumsum(counts) - counts
    numbers = np.unique(np.repeat(first - skipped, counts) + np.arange(counts.sum()))
    begin, end = numbers * REGION, (numbers + 1) * REGION
    memory = _covered(unit_address, length, begin, end)
    # An object may extend over pages that are not resident, and those are not in `memory`.
    used = np.minimum(_covered(address, usable, begin, end), memory)
    return np.stack([numbers, memory, used], axis=1)


def _covered(
    starts: np.ndarray, lengths: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Return how many bytes of the intervals are in each range [begin, end).

    The intervals are disjoint and sorted by start.
    """
    if not len(starts):
        return np.zeros(len(begin), np.int64)
    before = np.append(0, np.cumsum(lengths))

    def below(addresses: np.ndarray) -> np.ndarray:
        """Return the bytes of the intervals below each address."""
        count = np.searchsorted(starts, addresses, "right")
        last = np.maximum(count - 1, 0)
        total: np.ndarray = before[last] + np.minimum(addresses - starts[last], lengths[last])
        return np.where(count > 0, total, 0)

    covered: np.ndarray = below(end) - below(begin)
    return covered
