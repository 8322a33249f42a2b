"""Slots: row numbers in the tables that hold the live objects of a replay on threads.

An object has a slot from its allocation to its free. A replay is a sequence of epochs, in each of
which threads run at the same time (see `benchmark.threads`). An object that only one thread uses is
the thread's own; the others are shared. No two threads have own objects in the same cache line of
a table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.benchmark.threads.records import SHARED
from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.raw import LINE
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.driver_records import OBJECT

BLOCK = LINE // OBJECT.itemsize
"""Number of slots that a thread gets at a time: as many as fill a cache line."""


class SlotCounts(Struct):
    """Totals of the slots."""

    lives: Int64  # allocations so far
    own: Int64  # slots of threads' own objects
    shared: Int64  # slots of shared objects
    free_shared: Int64  # link to the list of shared slots that were freed in earlier epochs
    freed: Int64  # link to the list of shared slots that were freed in the epoch `epoch`
    epoch: Int64


class OwnSlots(Struct):
    """The slots of a thread's own objects."""

    free: Int64  # link to the list of free slots
    fresh: Int64  # the first slot that was never used, in the last block of the thread
    end: Int64  # end of that block


class Slots(NamedTuple):
    """All slots of the plan of a replay (see `plan`). A link is a slot plus 1; 0 ends a list."""

    counts: Table[SlotCounts]  # one row
    threads: Table[OwnSlots]
    own_links: np.ndarray  # int64, for each slot: link to the next free slot
    shared_links: np.ndarray  # int64, for each slot: link to the next free slot


def new_slots(threads: int, lives: int) -> Slots:
    """Return slots for at most `lives` allocations. Rows that are never used cost no memory."""
    return Slots(
        records(SlotCounts),
        table(OwnSlots, threads),
        table(np.int64, lives + BLOCK * threads),
        table(np.int64, lives + 1),
    )


@kernel
def take_slot(slots: Slots, thread: int, epoch: int, is_shared: int) -> int:
    """Return a slot for a new object, with the bit SHARED if the object is shared."""
    counts = slots.counts[0]
    counts.lives += 1
    if is_shared:
        return SHARED | _take_shared(slots, epoch)
    own = slots.threads[thread]
    if own.free:
        slot = own.free - 1
        own.free = slots.own_links[slot]
        return slot
    if own.fresh == own.end:
        own.fresh, own.end = counts.own, counts.own + BLOCK
        counts.own += BLOCK
    own.fresh += 1
    return own.fresh - 1


@kernel
def _take_shared(slots: Slots, epoch: int) -> int:
    """Return a slot that has not been in use in this epoch, for a shared object."""
    counts = slots.counts[0]
    if counts.free_shared == 0 and counts.epoch != epoch:
        counts.free_shared, counts.freed = counts.freed, 0
    if counts.free_shared:
        slot = counts.free_shared - 1
        counts.free_shared = slots.shared_links[slot]
        return slot
    counts.shared += 1
    return counts.shared - 1


@kernel
def free_slot(slots: Slots, thread: int, epoch: int, slot: int) -> None:
    """Free a slot. The slot of a shared object can be taken again once `epoch` is over."""
    if slot < SHARED:
        slots.own_links[slot] = slots.threads[thread].free
        slots.threads[thread].free = slot + 1
        return
    counts, number = slots.counts[0], slot - SHARED
    if counts.epoch != epoch:  # slots that were freed in an earlier epoch can be taken
        _release_freed(slots)
        counts.epoch = epoch
    slots.shared_links[number] = counts.freed
    counts.freed = number + 1


@kernel
def _release_freed(slots: Slots) -> None:
    """Move the slots that were freed in an earlier epoch to the list of free slots."""
    counts = slots.counts[0]
    while counts.freed:
        slot = counts.freed - 1
        counts.freed = slots.shared_links[slot]
        slots.shared_links[slot] = counts.free_shared
        counts.free_shared = slot + 1
