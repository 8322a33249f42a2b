"""Snapshots of a heap at many moments of a replay: parts of the footprint, and occupancy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allocsim.benchmark import answer
from allocsim.benchmark.occupancy import HELD, REGION, Occupancy, occupancy
from allocsim.benchmark.snapshots import HEADER, SNAPSHOT_BYTES
from allocsim.errors import Corruption
from allocsim.explanation.heap_map import HeapMap

SNAPSHOTS = 60
"""Number of evenly spaced snapshots of a replay."""


@dataclass(frozen=True)
class Snapshot:
    """A heap at one moment. Sizes are in bytes.

    Invariant: the parts sum to the footprint.
    """

    event: int
    """Events replayed before the moment."""
    parts: Mapping[str, int]
    """The footprint by part (see `owners.parts_of`). "untouched" is negative: it subtracts bytes
    that count as live or rounding, but are not resident."""
    regions: np.ndarray
    """The bytes of units (spans or OS pages) and of objects in each region of the heap (see
    `Occupancy.regions`)."""

    @property
    def footprint(self) -> int:
        """The sum of all parts."""
        return sum(self.parts.values())


def snapshot_events(events: int, chosen: int) -> list[int]:
    """Return the event counts at which snapshots are taken, in ascending order.

    There are min(SNAPSHOTS, `events`) evenly spaced counts, the last of which is `events`. `chosen`
    is added, unless it is 0.
    """
    steps = min(SNAPSHOTS, events)
    spaced = {events * step // steps for step in range(1, steps + 1)} if steps else set()
    return sorted({*spaced, chosen} - {0})


def snapshot_of(heap: HeapMap) -> Snapshot:
    """Return the snapshot of the heap that a map describes."""
    objects = (heap.address, heap.request, heap.usable)
    units = (heap.unit_address, heap.unit_length, heap.unit_part)
    return _snapshot(heap.event, occupancy(objects, units, len(heap.parts)), heap.parts, heap.rest)


def read_snapshots(
    descriptor: int, events: Sequence[int], parts: Sequence[str], pages: int
) -> list[Snapshot]:
    """Return the snapshots that a child process wrote after these numbers of events.

    A library in the child may have written anything. Raises Corruption if there are more regions
    than the machine's `pages`, or if a value is out of range.
    """
    return [
        _snapshot(event, _read(descriptor, index * SNAPSHOT_BYTES, pages), parts, {})
        for index, event in enumerate(events)
    ]


def _read(descriptor: int, offset: int, pages: int) -> Occupancy:
    """Return the occupancy at an offset of the child's answer file (see `benchmark.answer`)."""
    (header,) = answer.read_arrays(descriptor, [HEADER], offset)
    count, parts = int(header[0]), header[1:]
    if not 0 <= count <= pages or offset + (HEADER + 3 * count) * 8 > answer.SETS:
        raise Corruption("the measuring process sent impossible counts")
    _, flat = answer.read_arrays(descriptor, [HEADER, 3 * count], offset)
    regions = flat.reshape(-1, 3)
    number, memory, used = regions.T
    is_valid = (
        ((parts >= 0) & (parts < 1 << 47)).all()
        and (np.diff(number, prepend=-1) > 0).all()
        and (number < (1 << 48) // REGION).all()
        and ((memory >= 0) & (memory <= REGION) & (used >= 0) & (used <= memory)).all()
    )
    if not is_valid:
        raise Corruption("the measuring process sent impossible figures of its heap")
    return Occupancy(parts[: len(HELD)], parts[len(HELD) :], regions)


def _snapshot(
    event: int, measured: Occupancy, names: Sequence[str], rest: Mapping[str, int]
) -> Snapshot:
    """Return a snapshot; parts of 0 bytes are left out, except "live"."""
    parts = dict(zip(HELD, measured.held.tolist(), strict=True))
    parts["untouched"] = -parts["untouched"]
    for name, size in (*zip(names, measured.unheld.tolist(), strict=True), *rest.items()):
        parts[name] = parts.get(name, 0) + size
    nonzero = {name: size for name, size in parts.items() if size or name == "live"}
    return Snapshot(event, nonzero, measured.regions)
