"""The records that allocators are made of: one structured dtype each, as C structs would be.

Above `memory`, whose tables hold them; below every stage. A design's state is a NamedTuple of
arrays of these records. Rules: 0 is the null value of every link and every address; a field that
counts says what it counts; equations that must hold are written here and proved by `check`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

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


Int64: TypeAlias = int
"""A field of eight bytes; addresses, bytes and counts are of this type."""

Int32: TypeAlias = int
UInt32: TypeAlias = int

_TYPES = {"Int64": np.int64, "Int32": np.int32, "UInt32": np.uint32}


class Struct:
    """Base of the declarations of records; a field is `name: Int64`, as in a C struct.

    The type checker reads the declaration, so a misspelt field of a kernel fails the check;
    Numba and NumPy get the structured dtype that is made of it.
    """

    dtype: ClassVar[np.dtype[Any]]

    def __init_subclass__(cls) -> None:
        cls.dtype = np.dtype(
            [(name, _TYPES[kind]) for name, kind in cls.__annotations__.items()], align=True
        )


S_co = TypeVar("S_co", covariant=True)


class Table(Protocol[S_co]):
    """An array of records as the type checker sees it: indexed, it gives a record.

    A whole column (`table.name`) is an array that the checker does not look into.
    """

    def __getitem__(self, index: Any) -> S_co: ...
    def __len__(self) -> int: ...
    def __getattr__(self, column: str) -> Any: ...


class System(Struct):
    """What a heap has taken from the operating system."""

    next: Int64  # address of the first byte of the reservation that is not in use yet
    limit: Int64  # end address of the reservation (exclusive)
    heap: Int64  # bytes obtained for spans
    metadata: Int64  # bytes obtained for the allocator's own records
    released: Int64  # bytes of the heap that were given back and not taken again
    footprint: Int64  # heap - released + metadata, kept up to date so that reading it is one load
    chunk_left: Int64  # bytes left in the current chunk for small metadata
    frozen: Int64  # 1: every further request fails
    refusal: Int64  # the Status of the last request that failed; 0: none has


SYSTEM = System.dtype


class Counters(Struct):
    """What every design counts."""

    grows: Int64  # requests to the OS for pages
    splits: Int64  # spans split in two
    coalesces: Int64  # free neighbours merged
    refills: Int64  # spans carved for a size class
    spans: Int64  # spans in all
    free_spans: Int64  # of those, spans on a free list
    free_pages: Int64  # pages of those
    large_pages: Int64  # pages of large objects and stack segments in use
    nodes: Int64  # page map nodes in use, the null node counted
    threads: Int64  # threads that have a cache


COUNTERS = Counters.dtype

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


class Sample(Struct):
    """One measurement of a heap, in the order of the CSV's columns; bytes, but for the counts."""

    event: Int64  # events replayed before it
    live: Int64
    rounding: Int64
    tail: Int64
    thread_cache: Int64
    transfer: Int64
    central: Int64
    free_spans: Int64
    released: Int64
    heap: Int64
    metadata: Int64
    footprint: Int64
    spans_total: Int64
    spans_in_use: Int64
    spans_free: Int64
    grows: Int64
    splits: Int64
    coalesces: Int64
    refills: Int64


SAMPLE = Sample.dtype
