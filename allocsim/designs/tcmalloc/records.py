"""The records of a tcmalloc heap: one structured dtype each, as C structs would be."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class SpanState(IntEnum):
    """What a run of pages is used for."""

    NONE = 0
    """No span: the null record, which the page map gives for every unknown page."""
    IN_USE = 1
    """Small objects of one class, or one large object."""
    FREE = 2
    """On a free list or in a set; its pages are committed."""
    STACK = 3
    """A stack segment: whole pages that free() does not accept."""
    RETURNED = 4
    """Free, and its pages released to the operating system."""
    LIST = 5
    """No run of pages but the head of a list of spans."""


LINKED_SPAN = np.dtype(
    [
        ("address", np.int64),  # first byte; a multiple of the page size
        ("pages", np.int64),  # length in pages, >= 1
        ("size_class", np.int64),  # the class of its objects; 0: it holds one large object, or none
        ("state", np.int64),  # a SpanState
        ("handed_out", np.int64),  # objects of it that are not in its own list
        ("objects", np.int64),  # address of the first object in its own list; 0: there is none
        ("next", np.int64),  # next span of the same list, which is a circle through its head
        ("previous", np.int64),  # the one before
        ("left", np.int64),  # in a set: root of the spans that come before it; 0: there is none
        ("right", np.int64),  # in a set: root of those that come behind it
    ],
    align=True,
)
"""A span of a page heap that joins its runs: on a circular list, or in a set, never in both."""


PAGE_HEAP = np.dtype(
    [
        ("free", np.int64),  # pages of spans in state FREE
        ("returned", np.int64),  # pages of spans in state RETURNED
        ("free_set", np.int64),  # root of the set of long FREE spans
        ("returned_set", np.int64),  # root of the set of long RETURNED ones
        ("long_spans", np.int64),  # spans in both sets
        ("most_long_spans", np.int64),  # the most that ever were
        ("numbered", np.int64),  # the highest number that a span has had
        ("spare", np.int64),  # first span record that can be used again, by `next`; 0: none
        ("area_left", np.int64),  # bytes left in the last area of metadata
        ("leaves", np.int64),  # leaves of the page map, the null leaf counted
        ("countdown", np.int64),  # pages to be freed before some are given back to the OS
        ("release_rate", np.int64),  # pages given back for 1000 freed; 0: none ever
        ("release_index", np.int64),  # the list to look at next for pages to give back
        ("release_credit", np.int64),  # bytes given back beyond what was asked for
        ("aggressive", np.int64),  # 1: freed pages are given back at once
        ("releases", np.int64),  # times that the countdown has run out
        ("commits", np.int64),  # runs of pages taken into use, new or given back before
        ("decommits", np.int64),  # runs of pages given back
        ("committed_pages", np.int64),  # pages of those commits
        ("decommitted_pages", np.int64),  # pages of those decommits
    ],
    align=True,
)


CENTRAL_CLASS = np.dtype(
    [
        ("object_size", np.int64),  # bytes of an object of this class
        ("pages", np.int64),  # pages of its spans
        ("objects", np.int64),  # objects of a span: floor(bytes / object_size)
        ("batch", np.int64),  # objects that move together between a cache and the centre
        ("most_slots", np.int64),  # transfer slots that the class can have
        ("slots", np.int64),  # transfer slots that it has now
        ("used", np.int64),  # of those, slots that hold a batch
        ("spans", np.int64),  # spans of the class
        ("free", np.int64),  # objects in the lists of its spans
        # objects in use = spans * objects - free - used * batch - those in thread caches
    ],
    align=True,
)


CACHED_LIST = np.dtype(
    [
        ("head", np.int64),  # address of the newest free object; its first word is the next one's
        ("length", np.int32),  # objects on the list
        ("low_water", np.int32),  # the least that `length` was since the cache was last trimmed
        ("most", np.int32),  # `length` beyond which a batch goes back; 0: there is no cache
        ("overages", np.int32),  # times that it went beyond, since `most` last shrank
        ("object_size", np.int32),  # bytes of an object
    ],
    align=True,
)


CACHE = np.dtype(
    [
        ("held", np.int64),  # bytes of the free objects on its lists
        ("most", np.int64),  # bytes beyond which it is trimmed
        ("alive", np.int64),  # 1: the thread has a cache
        ("next", np.int64),  # the cache that was made before it, plus 1; 0: there is none
        ("previous", np.int64),  # the one made after it, plus 1; 0: there is none
    ],
    align=True,
)


CACHE_BUDGET = np.dtype(
    [
        ("total", np.int64),  # bytes that was set for all caches together
        ("unclaimed", np.int64),  # bytes of it that no cache has claimed; may be negative
        ("first", np.int64),  # the newest cache, plus 1; 0: there is none
        ("victim", np.int64),  # the cache to take from next, plus 1; 0: begin at the newest
        ("caches", np.int64),  # caches alive
        ("most_caches", np.int64),  # the most that ever were
        ("evictions", np.int64),  # the class whose transfer slot is to be taken next
    ],
    align=True,
)
"""unclaimed + the sum of `most` over all caches = total."""
