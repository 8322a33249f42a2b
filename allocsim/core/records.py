"""The records that allocators are made of: one structured dtype each, as C structs would be.

Above `memory`, whose tables hold them; below every stage. A design's state is a NamedTuple of
arrays of these records. Rules: 0 is the null value of every link and every address; a field that
counts says what it counts; equations that must hold are written here and proved by `check`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np

HeapState: TypeAlias = Any
"""A design's state: a NamedTuple of record arrays. Its type decides which kernels answer."""

Record: TypeAlias = Any
"""One element of a record array."""


class SpanState(IntEnum):
    """What a run of pages is used for."""

    NONE = 0
    """No span: the null record, which the page map gives for every unknown page."""
    IN_USE = 1
    """Small objects of one class, or one large object."""
    FREE = 2
    """On the free list for its length."""
    STACK = 3
    """A stack segment: whole pages that free() does not accept."""
    RETURNED = 4
    """Free, and its pages given back to the operating system."""
    LIST = 5
    """No run of pages but the head of a list of spans."""


LARGE = -1
"""The size class of a span that holds one large object, or a stack segment."""


SYSTEM = np.dtype(
    [
        ("next", np.int64),  # address of the first byte of the reservation not handed out yet
        ("limit", np.int64),  # address behind its last byte
        ("heap", np.int64),  # bytes obtained for spans
        ("footprint", np.int64),  # bytes obtained in all: heap + metadata
        ("chunk_left", np.int64),  # bytes left in the current chunk for small metadata
        ("frozen", np.int64),  # 1: every further request is refused
        ("refusal", np.int64),  # the Status of the last refused request; 0: none was
    ],
    align=True,
)

COUNTERS = np.dtype(
    [
        ("grows", np.int64),  # requests to the OS for pages
        ("splits", np.int64),  # spans cut in two
        ("coalesces", np.int64),  # neighbours made one
        ("refills", np.int64),  # classes given a new span
        ("spans", np.int64),  # spans in all = the highest span id; they are never forgotten
        ("free_spans", np.int64),  # of those, spans on a free list
        ("free_pages", np.int64),  # pages of those
        ("large_pages", np.int64),  # pages of large objects and stack segments in use
        ("nodes", np.int64),  # page map nodes in use, the null node counted
        ("threads", np.int64),  # threads that have a cache
    ],
    align=True,
)


PARTS = (
    "live",
    "rounding",
    "tail",
    "thread_cache",
    "transfer",
    "central",
    "free_spans",
    "released",
)
"""The eight parts of a heap, in bytes: they sum exactly to `heap` at any moment."""

COUNTS = ("grows", "splits", "coalesces", "refills")
"""The counters that every design keeps."""

SPAN_COUNTS = ("spans_total", "spans_in_use", "spans_free")
"""The columns of a sample that count spans."""

SAMPLE = np.dtype(
    [
        (name, np.int64)
        for name in ("event", *PARTS, "heap", "metadata", "footprint", *SPAN_COUNTS, *COUNTS)
    ]
)
"""One measurement of a heap, in the order of the CSV's columns; bytes, but for the counts."""
