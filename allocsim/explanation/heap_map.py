"""A heap at one moment: its live objects and the units that hold them.

A unit is the smallest piece of memory that can be released: a span of a design, or an OS page of a
library's process. The units of the design `glibc` are OS pages too. The units of a library are OS
pages even if the library releases only larger pieces (see `HeapMap.slab`). The modules `shares` and
`owners` work on this map, and do not distinguish designs from libraries.

The footprint is the sum of its parts, which are named after their use, such as "live" and "caches".
A unit without live objects belongs to one part as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allocsim.errors import Corruption
from allocsim.explanation.radix_sort import sort_by_address


@dataclass(frozen=True)
class HeapMap:
    """The live objects and the units of a heap, both sorted by address. Arrays are int64.

    Arrays whose names begin with `unit_` have an entry for each unit; the other arrays have an
    entry for each object.
    """

    event: int
    """Events replayed before the moment."""
    footprint: int
    """Bytes. Design: heap - released + metadata; library: growth of the anonymous RSS."""
    number: np.ndarray
    """Object ids."""
    address: np.ndarray
    request: np.ndarray
    """Bytes requested."""
    usable: np.ndarray
    """Bytes that the allocator reserved for the object: its allocated size."""
    unit_address: np.ndarray
    unit_length: np.ndarray
    unit_part: np.ndarray
    """Index into `parts`: the part to which the unit belongs. Meaningless for a unit with live
    objects."""
    parts: tuple[str, ...]
    """Names of parts."""
    rest: Mapping[str, int]
    """Bytes of the footprint outside all units, by name of a part."""
    slab: np.ndarray | None = None
    """Bytes of the object's slab divided by the number of objects in use there. A slab is a run of
    one or more pages that jemalloc divides into objects of one size, and releases only as a whole.
    None if slabs are not known."""
    break_range: tuple[int, int] | None = None
    """Start and end of a range of memory that grows and shrinks only at its end, like the memory
    below glibc's program break. None if there is no such range, or if it is not known."""

    def require_complete(self) -> None:
        """Raise Corruption if units overlap, or units and `rest` do not sum to the footprint."""
        total = int(self.unit_length.sum()) + sum(self.rest.values())
        if total != self.footprint:
            raise Corruption(
                f"after event {self.event}, the spans or pages of the heap, and its other parts, "
                f"sum to {total} bytes, but the footprint is {self.footprint} bytes"
            )
        ends = self.unit_address + self.unit_length
        if len(ends) and (ends[:-1] > self.unit_address[1:]).any():
            raise Corruption(f"after event {self.event}, two spans or pages of the heap overlap")


def by_address(objects: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return columns of objects sorted by the second column, the addresses, which are unique."""
    _, order = sort_by_address(objects[1].copy(), np.arange(len(objects[1])))
    return [column[order] for column in objects]


def map_from(
    objects: Sequence[np.ndarray],
    units: tuple[np.ndarray, np.ndarray, np.ndarray],
    parts: tuple[str, ...],
    rest: Mapping[str, int],
    moment: tuple[int, int],
) -> HeapMap:
    """Return the map of objects and units.

    The objects must be sorted by address; the units may be in any order. `objects` is (number,
    address, request, usable), or the same with `slab` at its end. `units` is (address, length,
    part), and `moment` is (event, footprint). Raises Corruption if the units do not match the
    footprint (see `HeapMap.require_complete`).
    """
    number, address, request, usable, *slab = objects
    order = np.argsort(units[0])
    unit_address, unit_length, unit_part = (column[order] for column in units)
    heap_map = HeapMap(
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
    heap_map.require_complete()
    return heap_map
