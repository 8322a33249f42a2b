"""Owners: groups of live objects, and the part of the footprint that each group owns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocsim.errors import Corruption
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.labels import Labels
from allocsim.explanation.shares import Shares, sums


@dataclass(frozen=True)
class Owner:
    """A group of live objects. All figures except `objects` are in bytes."""

    by: str
    """The grouping: "size", "thread", "age", "lifetime" or "site"."""
    name: str
    objects: int
    live: int
    rounding: int
    pinned: int
    """Shares of the objects in the free bytes of their units (see `shares`)."""
    owned: int
    """live + rounding + pinned - untouched. The sum over all owners, plus `nobody`, is the
    footprint."""
    only: int
    """Bytes of the units whose live objects are all of this group: freeing it frees these units."""
    some: int
    """Bytes of the units with a live object of this group. Invariant: only <= owned <= some."""
    untouched: int
    """Bytes of the objects that are in no unit, because their pages are not resident."""
    slabs: int | None = None
    """Shares of the objects in their slabs: live bytes, rounding, and free bytes that stay until
    the whole slab is free. None if the slabs are not known."""


def owners_by(heap: HeapMap, shares: Shares, labels: Labels) -> list[Owner]:
    """Return the groups that have live objects, the largest owner first.

    Raises Corruption if their `owned` and the parts of `nobody` do not sum to the footprint.
    """
    group, count = labels.group, len(labels.names)
    live, usable = sums(group, heap.request, count), sums(group, heap.usable, count)
    pinned, untouched = sums(group, shares.pinned, count), sums(group, shares.untouched, count)
    columns = (
        np.bincount(group, minlength=count),
        live,
        usable - live,
        pinned,
        usable + pinned - untouched,
        *_only_and_some(heap, shares, group, count),
        untouched,
        *(() if heap.slab is None else (sums(group, heap.slab, count),)),
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    owners = [
        Owner(labels.by, name, *row) for name, row in zip(labels.names, rows, strict=True) if row[0]
    ]
    total = sum(owner.owned for owner in owners) + sum(nobody(heap, shares).values())
    if total != heap.footprint:
        raise Corruption(f"owners by {labels.by} sum to {total} of {heap.footprint} bytes")
    return sorted(owners, key=lambda owner: (-owner.owned, owner.name))


def nobody(heap: HeapMap, shares: Shares) -> dict[str, int]:
    """Return the bytes of the footprint that no object owns, by part, without parts of 0 bytes."""
    empty = shares.objects == 0
    by_part = sums(heap.unit_part[empty], heap.unit_length[empty], len(heap.parts)).tolist()
    parts = dict(zip(heap.parts, by_part, strict=True))
    for name, size in heap.rest.items():
        parts[name] = parts.get(name, 0) + size
    return {name: size for name, size in parts.items() if size}


def parts_of(heap: HeapMap, shares: Shares) -> dict[str, int]:
    """Return the whole footprint by part: the bytes that objects own, and the parts of `nobody`.

    "untouched" is negative. Parts of 0 bytes are left out, except "live".
    """
    held = {
        "live": int(heap.request.sum()),
        "rounding": int((heap.usable - heap.request).sum()),
        "pinned": int(shares.pinned.sum()),
        "untouched": -int(shares.untouched.sum()),
    }
    return {name: size for name, size in held.items() if size or name == "live"} | nobody(
        heap, shares
    )


def _only_and_some(
    heap: HeapMap, shares: Shares, group: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return `Owner.only` and `Owner.some` of each group, in bytes."""
    unit, of_pair = shares.pair_unit, group[shares.pair_object]
    if not len(unit):
        return np.zeros(count, np.int64), np.zeros(count, np.int64)
    starts = np.flatnonzero(np.diff(unit, prepend=-1))
    lowest, highest = np.minimum.reduceat(of_pair, starts), np.maximum.reduceat(of_pair, starts)
    length, is_single = heap.unit_length[unit[starts]], lowest == highest
    only = sums(lowest[is_single], length[is_single], count)
    mixed = np.repeat(~is_single, shares.objects[unit[starts]])
    both = np.unique(unit[mixed] * count + of_pair[mixed])
    return only, only + sums(both % count, heap.unit_length[both // count], count)
