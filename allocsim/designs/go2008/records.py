"""The records of a go2008 heap, and the state that holds them.

They follow malloc.c of Go's malloc: struct Span, struct Central, and the free lists of each thread
(M). Go's names are in parentheses.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allocsim.core.records import Counters, Grid, Int32, Int64, Struct, System, Table, UInt32


class SpanState(IntEnum):
    """Use of a span (SpanInUse, SpanFree)."""

    NONE = 0
    """The null span, which the page map gives for every unknown page."""
    IN_USE = 1
    """Small objects of one class, or one large object."""
    FREE = 2
    """On the free list for its length."""
    STACK = 3
    """A stack segment: whole pages that free() does not accept."""


LARGE = -1
"""The size class of a span without small objects: a large object, a stack segment, a free span."""


class Span(Struct):
    """A run of pages (struct Span)."""

    address: Int64  # first byte, a multiple of the page size (base)
    pages: Int64  # length in pages, >= 1 (length)
    object_size: Int64  # bytes of each object; 0 unless the span holds small objects
    reciprocal: Int64  # ceil(2**RECIPROCAL_SHIFT / object_size): divides by multiplying
    objects: Int32  # floor(bytes / object_size); the rest of the span is its tail
    size_class: Int32  # LARGE, or the class of its objects (cl)
    next: UInt32  # next span on the same list; 0 at its end
    state: Int32  # a SpanState


RECIPROCAL_SHIFT = 40
"""offset * reciprocal >> 40 is exactly offset // object_size while offset * object_size < 2**40. A
span of small objects has at most 2**20 bytes, and a small object at most 2**15, so this holds."""


class PageList(Struct):
    """Free spans of one length, last in first out (Central.free, Central.large)."""

    head: UInt32  # first free span; 0 when empty
    spans: UInt32  # number of spans on the list


class FreeList(Struct):
    """A thread's free objects of one class (m->freelist).

    First come the freed objects, which are linked. After them come those objects of the newest
    chunk (the memory of a refill) that were never used; they have no links.
    length = objects linked from `head` + (end - fresh) / object_size.
    """

    head: Int64  # newest freed object, whose first word links to the next; 0 if none
    fresh: Int64  # address of the first never-used object of the newest chunk
    end: Int64  # end address of the chunk's last object (exclusive); equals fresh if all were used
    length: Int64  # number of free objects, linked and fresh


class SizeClass(Struct):
    """Counts of one size class. in_use + cached = the sum of `objects` over its spans."""

    object_size: Int64  # bytes of an object of this class
    in_use: Int64  # objects allocated and not freed
    cached: Int64  # objects on the lists of all threads together
    spans: Int64  # spans that were carved into this class


class Static(Struct):
    """The static variables of Go's malloc, and counts of this implementation."""

    free_pages: Int64  # number of pages of free spans
    chunk_left: Int64  # bytes left in the current chunk for small metadata (trivalloc's n)
    nodes: Int64  # number of page map nodes in use, including the null node
    threads: Int64  # number of threads that have free lists


class Go2008(NamedTuple):
    """The state of a go2008 heap."""

    system: Table[System]  # one record: what was obtained from the OS
    counters: Table[Counters]  # one record
    static: Table[Static]  # one record
    node: np.ndarray  # the page map: a row for each node; an entry is the number of a node or span
    span: Table[Span]  # by span number; 0 is the null span
    page_list: Table[PageList]  # by length in pages; the last list has all longer spans
    size_class: Table[SizeClass]  # by class
    free_list: Grid[FreeList]  # by thread and class
