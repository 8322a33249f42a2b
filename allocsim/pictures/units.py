"""Bytes on an axis: one unit for all values."""

from __future__ import annotations

from typing import NamedTuple


class Unit(NamedTuple):
    """A unit of an axis."""

    name: str
    size: int
    """Bytes."""

    def of(self, count: float) -> float:
        """Return a number of bytes in this unit, with enough digits for a picture."""
        return round(count / self.size, 4)


UNITS = tuple(Unit(name, 1 << 10 * power) for power, name in enumerate(("B", "KiB", "MiB", "GiB")))


def unit_for(largest: int) -> Unit:
    """Return the largest unit of at most `largest` bytes. The unit for 0 is B."""
    return next((unit for unit in reversed(UNITS) if largest >= unit.size), UNITS[0])
