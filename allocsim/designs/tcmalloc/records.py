"""The records of a tcmalloc heap, and the state that holds them.

Each record has the name of a class of gperftools 2.10, and its fields have the names of the class's
members, without the trailing underscore. The exception is `size_`: every NumPy record has an
attribute `size`, which would hide a field of that name in code that is not compiled.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allocsim.core.records import Counters, Grid, Int32, Int64, Struct, System, Table


class SpanState(IntEnum):
    """Use of a span (Span::location)."""

    NONE = 0
    """Not a span: an unused record, or the null record, to which unknown pages are mapped."""
    IN_USE = 1
    """Carved into objects of one class, or one large object."""
    FREE = 2
    """On a free list, its pages in memory (ON_NORMAL_FREELIST)."""
    STACK = 3
    """A stack segment: whole pages that free() does not accept."""
    RETURNED = 4
    """On a free list, its pages released to the OS (ON_RETURNED_FREELIST)."""
    LIST = 5
    """Not a run of pages but the head of a list of spans."""


class Span(Struct):
    """A span, on a circular list or in a set of large free spans, never in both (Span)."""

    address: Int64  # first byte; a multiple of the page size
    pages: Int64  # length in pages, >= 1
    size_class: Int64  # the class of its objects; 0 if the span is not carved into objects
    state: Int64  # a SpanState
    refcount: Int64  # number of its objects that are not on its own free list
    objects: Int64  # address of the first object on its own free list; 0 if empty
    next: Int64  # next span of the same list, which is circular through its head
    previous: Int64  # previous span of the same list
    left: Int64  # in a set, which is a tree: left child, whose subtree comes before this span; or 0
    right: Int64  # in a set: right child, whose subtree comes after this span; or 0


class PageHeap(Struct):
    """The page heap and its statistics (PageHeap, PageHeap::Stats)."""

    free_pages: Int64  # pages of spans in state FREE
    unmapped_pages: Int64  # pages of spans in state RETURNED
    large_normal: Int64  # root of the set of large FREE spans
    large_returned: Int64  # root of the set of large RETURNED spans
    large_spans: Int64  # spans in the two sets together
    max_large_spans: Int64  # maximum of large_spans; metadata includes a tree node for each
    last_span: Int64  # highest span number used so far
    unused_span: Int64  # first unused span record, linked by `next`; 0 if none
    area_left: Int64  # bytes left in the current 8 MiB area of metadata
    leaves: Int64  # leaves of the page map, the null leaf included
    scavenge_counter: Int64  # pages still to be freed before the next release
    release_rate: Int64  # pages released per 1,000 freed; 0 disables releases
    release_index: Int64  # list to inspect next for spans to release
    extra_bytes_released: Int64  # bytes that earlier ReleaseToSystem calls released in excess
    aggressive_decommit: Int64  # 1: pages are released as soon as they are freed
    scavenge_count: Int64  # times that scavenge_counter ran out
    commit_count: Int64  # runs of pages taken into use, fresh or released before
    decommit_count: Int64  # runs of pages released
    total_commit_pages: Int64  # pages of the runs that commit_count counts
    total_decommit_pages: Int64  # pages of the runs that decommit_count counts


class CentralFreeList(Struct):
    """A size class and its central free list, with the counts of its transfer cache.

    objects in use = num_spans * objects - free_objects - used_slots * batch - cached objects
    """

    object_size: Int64  # bytes of an object of this class
    pages: Int64  # pages of each of its spans
    objects: Int64  # objects of each span: floor(bytes / object_size)
    batch: Int64  # objects moved together between a cache and this list (num_objects_to_move)
    max_cache_size: Int64  # maximum of cache_size
    cache_size: Int64  # transfer cache slots of this class, used or not
    used_slots: Int64  # of those, slots that hold a batch
    num_spans: Int64  # spans of the class
    free_objects: Int64  # objects on the free lists of those spans (counter_)


class FreeList(Struct):
    """A thread's free objects of one class (ThreadCache::FreeList)."""

    head: Int64  # address of the newest free object, whose first word links to the next; 0 if empty
    length: Int32  # objects on the list
    low_water_mark: Int32  # minimum of `length` since the last scavenge (lowater_)
    max_length: Int32  # `length` above which a batch is released; 0 if the thread has no cache
    length_overages: Int32  # how often `length` exceeded max_length since max_length last shrank
    object_size: Int32  # bytes of an object


class ThreadCache(Struct):
    """The cache of one thread (ThreadCache)."""

    size_: Int64  # bytes of the free objects on its lists
    max_size: Int64  # bytes above which it is scavenged
    alive: Int64  # 1 if the thread has a cache
    next: Int64  # number of the next older cache, plus 1; 0 if none
    previous: Int64  # number of the next newer cache, plus 1; 0 if none


class Static(Struct):
    """The static variables of ThreadCache and CentralFreeList.

    unclaimed_cache_space + the sum of max_size over all caches = overall_thread_cache_size
    """

    overall_thread_cache_size: Int64  # bytes that all caches together may hold
    unclaimed_cache_space: Int64  # bytes of that limit that no cache has claimed; may be negative
    thread_heaps: Int64  # number of the newest cache, plus 1; 0 if none
    next_memory_steal: Int64  # number of the next cache to steal from, plus 1; 0: the newest
    thread_heap_count: Int64  # caches alive
    max_thread_heap_count: Int64  # maximum of thread_heap_count
    race_counter: Int64  # class that has to give up a transfer cache slot next


class Tcmalloc(NamedTuple):
    """The state of a tcmalloc heap.

    `page_map`, `class_index` and `tc_slots` hold plain numbers, so they have no record type.
    """

    code: np.recarray  # one record: addresses of out-of-line kernels, see CODE in `__init__`
    system: Table[System]  # one record
    counters: Table[Counters]  # one record
    page_heap: Table[PageHeap]  # one record
    page_map: np.ndarray  # the root, then the leaves of the page map: int64
    span: Table[Span]  # by span number: the null span (0), the list heads, then spans
    class_index: np.ndarray  # class by row, see `size_classes.row_of`: uint8
    size_class: Table[CentralFreeList]  # by class; class 0 is unused
    tc_slots: np.ndarray  # first object of a batch, by class and slot: int64 addresses
    static: Table[Static]  # one record
    cache: Table[ThreadCache]  # by thread; the last row is not for a thread, see `orphan`
    free_list: Grid[FreeList]  # by cache and class


def orphan(heap: Tcmalloc) -> int:
    """Return the number of the cache that belongs to no thread.

    The library creates this cache at startup, before a thread can own one. No thread uses it later.
    """
    return len(heap.cache) - 1
