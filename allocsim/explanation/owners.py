"""Owners: groups of live objects, and the part of the footprint that each group owns.

A unit is a span or an OS page, which becomes free only as a whole (see `heap_map`).
"""

from __future__ import annotations

from dataclasses import dataclass

from allocsim.errors import Corruption
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.labels import Labels
from allocsim.explanation.shares import Shares, sums
from allocsim.explanation.totals import Total, totals


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
    """The objects' shares of the free bytes in their units (see `shares`)."""
    owned: int
    """live + rounding + pinned - untouched. The footprint is the sum of `owned` over all owners,
    plus the bytes that no object owns (see `unowned`)."""
    only: int
    """Bytes of the units whose live objects all belong to this group. Freeing the group frees these
    units."""
    some: int
    """Bytes of the units with a live object of this group. Invariant: only <= owned <= some."""
    untouched: int
    """Bytes of the objects that are in no unit, because their pages are not resident."""
    slabs: int | None = None
    """The objects' shares of their slabs (see `HeapMap.slab`): live bytes, rounding, and free bytes
    that stay until the whole slab is free. None if the slabs are not known."""


def owners_by(heap: HeapMap, shares: Shares, labels: Labels) -> list[Owner]:
    """Return the groups that have live objects, the largest owner first.

    Raises Corruption if their `owned` and the parts of `unowned` do not sum to the footprint.
    """
    group_totals = totals(heap, shares, labels.group, len(labels.names))
    owners = [
        _owner(labels.by, name, total, heap.slab is not None)
        for name, total in zip(labels.names, group_totals, strict=True)
        if total.objects
    ]
    total = sum(owner.owned for owner in owners) + sum(unowned(heap, shares).values())
    if total != heap.footprint:
        raise Corruption(
            f"owners by {labels.by} sum to {total} bytes, expected {heap.footprint} (footprint)"
        )
    return sorted(owners, key=lambda owner: (-owner.owned, owner.name))


def _owner(by: str, name: str, total: Total, with_slabs: bool) -> Owner:
    """Return the group `name`, with the figures of `total`."""
    return Owner(
        by=by,
        name=name,
        objects=int(total.objects),
        live=int(total.live),
        rounding=int(total.usable - total.live),
        pinned=int(total.pinned),
        owned=int(total.usable + total.pinned - total.untouched),
        only=int(total.only),
        some=int(total.some),
        untouched=int(total.untouched),
        slabs=int(total.slabs) if with_slabs else None,
    )


def unowned(heap: HeapMap, shares: Shares) -> dict[str, int]:
    """Return the bytes that no object owns, by part of the footprint, without parts of 0 bytes."""
    empty = shares.objects == 0
    by_part = sums(heap.unit_part[empty], heap.unit_length[empty], len(heap.parts)).tolist()
    parts = dict(zip(heap.parts, by_part, strict=True))
    for name, size in heap.rest.items():
        parts[name] = parts.get(name, 0) + size
    return {name: size for name, size in parts.items() if size}


def parts_of(heap: HeapMap, shares: Shares) -> dict[str, int]:
    """Return the whole footprint by part: the bytes that objects own, and the parts of `unowned`.

    "untouched" is negative: its bytes count as live or rounding, but are not resident. Parts of 0
    bytes are left out, except "live".
    """
    held = {
        "live": int(heap.request.sum()),
        "rounding": int(heap.usable.sum() - heap.request.sum()),
        "pinned": int(shares.pinned.sum()),
        "untouched": -int(shares.untouched.sum()),
    }
    return {name: size for name, size in held.items() if size or name == "live"} | unowned(
        heap, shares
    )
