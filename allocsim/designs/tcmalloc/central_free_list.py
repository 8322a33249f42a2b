"""The central lists: for each class the spans cut into its objects, shared by all threads.

Above the page heap, which gives and takes their spans; below the transfer slots. Each span keeps
its own list of free objects; spans with free objects are taken from newest first. Its one rule: a
span whose last object comes back leaves for the page heap at once. (gperftools 2.10,
src/central_freelist.cc.)
"""

from __future__ import annotations

from allocsim.core.jit import kernel, out_of_line
from allocsim.core.operations import Status
from allocsim.core.raw import load_word, store_word
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.page_release import delete_run, new_run
from allocsim.designs.tcmalloc.pagemap import enter_class, span_at
from allocsim.designs.tcmalloc.span import FULL_HEAD, PARTIAL_HEAD, prepend, unlink


@kernel
def take_objects(heap: HeapState, size_class: int, wanted: int) -> tuple[int, int]:
    """A chain of 1 to `wanted` objects from spans, and their count; (0, 0): refused.

    Only the first piece may need a new span, so a class that is new gives one span's objects at
    most. Later pieces go in front.
    """
    head = PARTIAL_HEAD + size_class
    if heap.span[head].next == head and not populate(heap, size_class):
        return 0, 0
    chain, count = 0, 0
    while count < wanted:
        span = heap.span[head].next
        if span == head:
            break
        first, last, taken = _take_from_span(heap, span, wanted - count)
        store_word(last, chain)
        chain = first
        count += taken
        if heap.span[span].objects == 0:
            unlink(heap, span)
            prepend(heap, FULL_HEAD + size_class, span)
    heap.size_class[size_class].free -= count
    return chain, count


@kernel
def _take_from_span(heap: HeapState, span: int, wanted: int) -> tuple[int, int, int]:
    """The first and the last of up to `wanted` objects of a span's list, and how many."""
    record = heap.span[span]
    first = record.objects
    last, behind, taken = first, load_word(first), 1
    while taken < wanted and behind:
        last = behind
        behind = load_word(last)
        taken += 1
    record.objects = behind
    record.handed_out += taken
    return first, last, taken


@out_of_line
def return_objects(heap: HeapState, size_class: int, chain: int) -> int:
    """Give each object of a chain back to its span; a Status."""
    kind = heap.size_class[size_class]
    while chain:
        address = chain
        chain = load_word(address)
        span = span_at(heap, address)
        record = heap.span[span]
        if record.objects == 0:
            unlink(heap, span)
            prepend(heap, PARTIAL_HEAD + size_class, span)
        record.handed_out -= 1
        if record.handed_out:
            store_word(address, record.objects)
            record.objects = address
            kind.free += 1
        else:
            kind.free -= kind.objects - 1
            kind.spans -= 1
            unlink(heap, span)
            delete_run(heap, span)
    return Status.OK


@out_of_line
def populate(heap: HeapState, size_class: int) -> int:
    """Give the class a new span, its objects chained in ascending addresses; 0: refused."""
    kind = heap.size_class[size_class]
    span = new_run(heap, kind.pages)
    if span == 0:
        return 0
    enter_class(heap, span, size_class)
    record = heap.span[span]
    record.handed_out = 0
    record.objects = record.address
    address, last = record.address, record.address + (kind.objects - 1) * kind.object_size
    while address < last:
        store_word(address, address + kind.object_size)
        address += kind.object_size
    store_word(last, 0)
    prepend(heap, PARTIAL_HEAD + size_class, span)
    kind.free += kind.objects
    kind.spans += 1
    heap.counters[0].refills += 1
    return span


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
