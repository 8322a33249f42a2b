"""The transfer slots: whole batches of objects on their way from one thread's cache to another's.

Between the central lists below and the caches above. Each class has a few slots, last in first
out; a batch that finds one free is put there as it is, without a look at its spans. A class that
needs one more slot takes it from another class, going round. Its one rule: only a whole batch goes
in or out. (gperftools 2.10, src/central_freelist.cc.)
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.central_free_list import return_objects, take_objects

START_SLOTS = 16
"""Slots of a class at the start, unless it can have fewer."""

MOST_SLOTS = 64
"""Slots that a class can have."""

SLOT_BYTES = 1 << 20
"""Bytes of objects that the slots of a class may hold, or one batch."""


def most_slots(object_size: int, batch: int) -> int:
    """The slots that a class can have."""
    return min(MOST_SLOTS, max(1, SLOT_BYTES // (object_size * batch)))


@kernel
def remove_range(heap: HeapState, size_class: int, wanted: int) -> tuple[int, int]:
    """A chain of 1 to `wanted` objects, and their count; (0, 0): refused."""
    kind = heap.size_class[size_class]
    if wanted == kind.batch and kind.used > 0:
        kind.used -= 1
        return heap.slot[size_class, kind.used], wanted
    return take_objects(heap, size_class, wanted)


@out_of_line
def insert_range(heap: HeapState, size_class: int, chain: int, count: int) -> int:
    """Take a chain of `count` objects of one class; a Status."""
    kind = heap.size_class[size_class]
    if count == kind.batch and _make_space(heap, size_class):
        heap.slot[size_class, kind.used] = chain
        kind.used += 1
        return Status.OK
    return return_objects(heap, size_class, chain)


@kernel
def _make_space(heap: HeapState, size_class: int) -> bool:
    """Whether the class has a free slot, if need be one taken from another class."""
    kind = heap.size_class[size_class]
    if kind.used < kind.slots:
        return True
    if kind.slots == kind.most_slots:
        return False
    if _evict(heap, size_class, False) or _evict(heap, size_class, True):
        kind.slots += 1
        return True
    return False


@kernel
def _evict(heap: HeapState, size_class: int, forced: bool) -> bool:
    """Take a slot from the class whose turn it is; False if it cannot be had.

    A slot that is full yields only when forced: its batch goes back to the spans. The turn stands
    on class 0, which has slots and no objects, for two calls of a lap.
    """
    budget = heap.budget[0]
    victim = budget.evictions
    budget.evictions = victim + 1
    if victim >= len(heap.size_class):
        victim = 0
        budget.evictions = 0
    other = heap.size_class[victim]
    if victim == size_class or other.slots == 0:
        return False
    if other.used == other.slots:
        if not forced:
            return False
        other.used -= 1
        return_objects(heap, victim, heap.slot[victim, other.used])
    other.slots -= 1
    return True
