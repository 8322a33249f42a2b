"""A heap at one moment: its live objects, and the units that they are in.

A unit is a piece of memory that only becomes free as a whole: a span of a design, or a page of the
operating system in the process of a library. The map is all that the accounts of `shares` and
`owners` need, wherever it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allocsim.errors import Corruption


@dataclass(frozen=True)
class HeapMap:
    """The live objects and the units of a heap, both by ascending address. Arrays are int64."""

    event: int
    """Events replayed before the moment."""
    footprint: int
    """Bytes: of a design by its definition, of a library the growth of its resident pages."""
    number: np.ndarray
    """Object id of each live object."""
    address: np.ndarray
    request: np.ndarray
    """Bytes requested."""
    usable: np.ndarray
    """Bytes that the allocator gave the object."""
    unit_address: np.ndarray
    unit_length: np.ndarray
    unit_part: np.ndarray
    """Index into `parts`: what the unit is used for if it has no live object."""
    parts: tuple[str, ...]
    rest: Mapping[str, int]
    """Bytes of the footprint that are in no unit, by part."""
    slab: np.ndarray | None = None
    """Bytes of each object's slab, divided by the slab's objects; None if they are not known. A
    library that tells its slabs can only release a slab as a whole, which may be several pages."""

    def require_complete(self) -> None:
        """Raise Corruption unless units and `rest` sum exactly to the footprint."""
        total = int(self.unit_length.sum()) + sum(self.rest.values())
        if total != self.footprint:
            raise Corruption(
                f"after event {self.event}, the units of the heap sum to {total} bytes, but its "
                f"footprint is {self.footprint}"
            )
        ends = self.unit_address + self.unit_length
        if len(ends) and (ends[:-1] > self.unit_address[1:]).any():
            raise Corruption(f"after event {self.event}, two units of the heap overlap")


def sorted_map(
    objects: Sequence[np.ndarray],
    units: tuple[np.ndarray, np.ndarray, np.ndarray],
    parts: tuple[str, ...],
    rest: Mapping[str, int],
    moment: tuple[int, int],
) -> HeapMap:
    """Return the map of objects and units in any order; `moment` is (event, footprint).

    `objects` are (number, address, request, usable) and may have `slab`; `units` are (address,
    length, part).
    """
    by_address = np.argsort(objects[1])  # not stable: no two objects have an address
    number, address, request, usable, *slab = (column[by_address] for column in objects)
    order = np.argsort(units[0])
    unit_address, unit_length, unit_part = (column[order] for column in units)
    found = HeapMap(
        event=moment[0],
        footprint=moment[1],
        number=number,
        address=address,
        request=request,
        usable=usable,
        unit_address=unit_address,
        unit_length=unit_length,
        unit_part=unit_part,
        parts=parts,
        rest=rest,
        slab=slab[0] if slab else None,
    )
    found.require_complete()
    return found
