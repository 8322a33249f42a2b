"""The records that allocators are made of: one structured dtype each, as C structs would be.

Above `memory`, whose tables hold them; below every stage. A design's state is a NamedTuple of
arrays of these records. Rules: 0 is the null value of every link and every address; a field that
counts says what it counts; equations that must hold are written here and proved by `check`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, TypeVar, overload

import numpy as np

HeapState: TypeAlias = Any
"""A design's state: a NamedTuple of record arrays. Its type decides which kernels answer."""

Record: TypeAlias = Any
"""One element of a record array."""


Int64: TypeAlias = int
"""A field of eight bytes; addresses, bytes and counts are of this type."""

Int32: TypeAlias = int
UInt32: TypeAlias = int
UInt16: TypeAlias = int
UInt8: TypeAlias = int

_TYPES = {
    "Int64": np.int64,
    "Int32": np.int32,
    "UInt32": np.uint32,
    "UInt16": np.uint16,
    "UInt8": np.uint8,
}


class Struct:
    """Base of record declarations; a field is `name: Int64`, as in a C struct.

    The type checker reads the declaration, so a misspelt field in a kernel is an error. NumPy and
    Numba use the structured dtype that is made from it, aligned as C aligns.
    """

    dtype: ClassVar[np.dtype[Any]]

    def __init_subclass__(cls) -> None:
        """Make the dtype from the annotations."""
        fields = [(name, _TYPES[field]) for name, field in cls.__annotations__.items()]
        cls.dtype = np.dtype(fields, align=True)

    if TYPE_CHECKING:  # what NumPy's records can do besides

        def __getitem__(self, field: str) -> int: ...
        def __setitem__(self, field: str, value: int) -> None: ...
        def tobytes(self) -> bytes:
            """Return the bytes of the record."""
            ...


S = TypeVar("S", bound=Struct)


class Table(Protocol[S]):
    """A one-dimensional array of records, as the type checker sees it; `table[i]` is a record.

    A column (`table.pages`) is a NumPy array. The checker does not know the names of columns: it
    accepts any, because a protocol cannot derive array attributes from the fields of `S`. A
    misspelt column fails when it is read.
    """

    @overload
    def __getitem__(self, index: slice) -> Table[S]: ...
    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> S: ...
    @overload
    def __getitem__(self, index: str) -> np.ndarray: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[S]: ...
    def __getattr__(self, column: str) -> Any: ...
    def __setattr__(self, column: str, values: Any) -> None: ...


class Grid(Protocol[S]):
    """A two-dimensional array of records: `grid[i, j]` is a record, `grid[i]` a row."""

    @overload
    def __getitem__(self, index: int | slice) -> Table[S]: ...
    @overload
    def __getitem__(self, index: tuple[int | np.integer[Any], int | np.integer[Any]]) -> S: ...
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
