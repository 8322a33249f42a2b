"""Central free lists and the transfer cache (src/central_freelist.cc).

A class's free objects that are in no thread cache are on the free lists of its spans or in the
transfer cache. The transfer cache holds full batches on their way between thread caches. It has a
few slots for each class, used last in first out, and storing a batch in a slot does not touch the
batch's spans. A class that is out of slots takes a slot from the class whose turn it is.

Invariants: every used slot holds exactly one full batch. No span has all of its objects on its own
list, because such a span is returned to the page heap.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.core.raw import load_word, store_word
from allocsim.designs.tcmalloc.page_release import delete_run, new_run
from allocsim.designs.tcmalloc.pagemap import get_descriptor, register_size_class
from allocsim.designs.tcmalloc.records import Tcmalloc
from allocsim.designs.tcmalloc.span import EMPTY_HEAD, NONEMPTY_HEAD, dll_prepend, dll_remove

INITIAL_TRANSFER_ENTRIES = 16
"""Initial number of slots of a class, unless its maximum is smaller."""

MAX_TRANSFER_ENTRIES = 64
"""Maximum number of slots of a class (kMaxNumTransferEntries)."""

MAX_TRANSFER_BYTES = 1 << 20
"""Maximum number of bytes in the slots of a class, unless one batch is larger."""


def max_cache_size(object_size: int, batch: int) -> int:
    """Return the maximum number of slots of a class (CentralFreeList::Init)."""
    return min(MAX_TRANSFER_ENTRIES, max(1, MAX_TRANSFER_BYTES // (object_size * batch)))


@kernel
def remove_range(heap: Tcmalloc, size_class: int, count: int) -> tuple[int, int]:
    """Remove up to `count` objects: the newest batch in a slot, or objects of spans (RemoveRange).

    The objects are linked into a chain. Returns (first object, count), or (0, 0) on failure.
    """
    info = heap.size_class[size_class]
    if count == info.batch and info.used_slots > 0:
        info.used_slots -= 1
        return heap.tc_slots[size_class, info.used_slots], count
    return fetch_from_one_spans_safe(heap, size_class, count)


@out_of_line
def insert_range(heap: Tcmalloc, size_class: int, chain: int, count: int) -> int:
    """Insert a chain of `count` objects of one class (InsertRange). Returns a Status."""
    info = heap.size_class[size_class]
    if count == info.batch and _make_cache_space(heap, size_class):
        heap.tc_slots[size_class, info.used_slots] = chain
        info.used_slots += 1
        return Status.OK
    return release_list_to_spans(heap, size_class, chain)


@kernel
def _make_cache_space(heap: Tcmalloc, size_class: int) -> bool:
    """Return whether the class has an unused slot; take one from another class if necessary.

    The next two classes in turn are tried. The first gives only an unused slot. The second also
    gives a used slot, whose batch then goes back to its spans (MakeCacheSpace).
    """
    info = heap.size_class[size_class]
    if info.used_slots < info.cache_size:
        return True
    if info.cache_size == info.max_cache_size:
        return False
    if _evict_random_size_class(heap, size_class, False) or _evict_random_size_class(
        heap, size_class, True
    ):
        info.cache_size += 1
        return True
    return False


@kernel
def _evict_random_size_class(heap: Tcmalloc, size_class: int, forced: bool) -> bool:
    """Take a slot from the next size class in turn; return False if it cannot give one.

    If all slots of a class are in use, it gives one only if `forced`, and the batch in that slot
    goes back to its spans. Class 0, which has slots but no objects, gets two turns per round.

    This is the library's EvictRandomSizeClass and ShrinkCache in one. "Random" refers to a counter
    that threads race on.
    """
    static = heap.static[0]
    victim = static.race_counter
    static.race_counter = victim + 1
    if victim >= len(heap.size_class):
        # This call's victim is class 0, and the counter stays at 0, so the next call's victim is
        # class 0 again.
        victim = 0
        static.race_counter = 0
    other = heap.size_class[victim]
    if victim == size_class or other.cache_size == 0:
        return False
    if other.used_slots == other.cache_size:
        if not forced:
            return False
        other.used_slots -= 1
        release_list_to_spans(heap, victim, heap.tc_slots[victim, other.used_slots])
    other.cache_size -= 1
    return True


@kernel
def fetch_from_one_spans_safe(heap: Tcmalloc, size_class: int, wanted: int) -> tuple[int, int]:
    """Remove up to `wanted` objects from the class's spans, in the order of their list.

    Returns (first object, count), or (0, 0) on failure. The class gets a new span only if none of
    its spans has a free object. In that case, only objects of the new span are removed
    (FetchFromOneSpansSafe).
    """
    head = NONEMPTY_HEAD + size_class
    if heap.span[head].next == head and not populate(heap, size_class):
        return 0, 0
    chain, count = 0, 0
    while count < wanted:
        span = heap.span[head].next
        if span == head:
            break
        first, last, taken = _fetch_from_one_spans(heap, span, wanted - count)
        store_word(last, chain)  # as in the library, objects of later spans go in front
        chain = first
        count += taken
        if heap.span[span].objects == 0:
            dll_remove(heap, span)
            dll_prepend(heap, EMPTY_HEAD + size_class, span)
    heap.size_class[size_class].free_objects -= count
    return chain, count


@kernel
def _fetch_from_one_spans(heap: Tcmalloc, span: int, wanted: int) -> tuple[int, int, int]:
    """Remove up to `wanted` objects from a span's list (FetchFromOneSpans).

    Returns (first object, last object, count). The last object still links to the rest of the list.
    """
    record = heap.span[span]
    first = record.objects
    last, following, taken = first, load_word(first), 1
    while taken < wanted and following:
        last = following
        following = load_word(last)
        taken += 1
    record.objects = following
    record.refcount += taken
    return first, last, taken


@out_of_line
def release_list_to_spans(heap: Tcmalloc, size_class: int, chain: int) -> int:
    """Return each object of a chain to its span (ReleaseListToSpans). Returns a Status.

    A span is returned to the page heap as soon as all its objects are back.
    """
    info = heap.size_class[size_class]
    while chain:
        address = chain
        chain = load_word(address)
        span = get_descriptor(heap, address)
        record = heap.span[span]
        if record.objects == 0:
            dll_remove(heap, span)
            dll_prepend(heap, NONEMPTY_HEAD + size_class, span)
        record.refcount -= 1
        if record.refcount:
            store_word(address, record.objects)
            record.objects = address
            info.free_objects += 1
        else:
            info.free_objects -= info.objects - 1  # the object freed last was never counted
            info.num_spans -= 1
            dll_remove(heap, span)
            delete_run(heap, span)
    return Status.OK


@out_of_line
def populate(heap: Tcmalloc, size_class: int) -> int:
    """Carve a new span for the class and link its objects by ascending address (Populate).

    Returns the span, or 0 on failure. As in the library, a link is written into every object, so
    all pages of the span become resident.
    """
    info = heap.size_class[size_class]
    span = new_run(heap, info.pages)
    if span == 0:
        return 0
    register_size_class(heap, span, size_class)
    record = heap.span[span]
    record.refcount = 0
    record.objects = record.address
    address, last = record.address, record.address + (info.objects - 1) * info.object_size
    while address < last:
        store_word(address, address + info.object_size)
        address += info.object_size
    store_word(last, 0)
    dll_prepend(heap, NONEMPTY_HEAD + size_class, span)
    info.free_objects += info.objects
    info.num_spans += 1
    heap.counters[0].refills += 1
    return span
