"""Records: how they are declared and typed, and the records that every design has.

A record corresponds to a struct in C, and is declared as a class with fields. Records are stored in
a table: a NumPy structured array that kernels index. A design's state is a NamedTuple of tables. In
every record, 0 is the null value of links and addresses, so a zeroed table is a valid empty table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, TypeAlias, TypeVar, overload

import numpy as np

HeapState: TypeAlias = Any
"""The state of any design: a NamedTuple of tables, with a field `system: Table[System]`.

Use it in code that serves every design. A design's own kernels are annotated with the design's
state type, so that the type checker knows its tables.
"""

Record: TypeAlias = Any
"""A record of any type, not checked by the type checker; prefer a Struct."""


Int64: TypeAlias = Annotated[int, np.int64]
"""An eight-byte field, for addresses, sizes and counts."""

Int32: TypeAlias = Annotated[int, np.int32]
UInt32: TypeAlias = Annotated[int, np.uint32]
UInt16: TypeAlias = Annotated[int, np.uint16]
UInt8: TypeAlias = Annotated[int, np.uint8]

_TYPES = {
    "Int64": np.int64,
    "Int32": np.int32,
    "UInt32": np.uint32,
    "UInt16": np.uint16,
    "UInt8": np.uint8,
}


def _type_of(annotation: Any) -> Any:
    """Return the NumPy type of a field.

    The annotation is a string under `from __future__ import annotations`.
    """
    return _TYPES[annotation] if isinstance(annotation, str) else annotation.__metadata__[0]


class Struct:
    """Base of record declarations; a field is `name: Int64`, as in a C struct.

    If a declaration extends another, the record begins with the fields of the other.
    The type checker reads the declaration, so a misspelt field in a kernel is an error. NumPy and
    Numba use `dtype`, which is made from the declaration and has the alignment of C.
    """

    dtype: ClassVar[np.dtype[Any]]

    def __init_subclass__(cls) -> None:
        """Make the dtype from the annotations."""
        base = getattr(cls, "dtype", np.dtype([]))
        inherited = [(name, base[name]) for name in base.names or ()]
        fields = [(name, _type_of(field)) for name, field in cls.__annotations__.items()]
        cls.dtype = np.dtype([*inherited, *fields], align=True)

    if TYPE_CHECKING:  # methods that NumPy's records have

        def __getitem__(self, field: str) -> int: ...
        def __setitem__(self, field: str, value: int) -> None: ...
        def tobytes(self) -> bytes:
            """Return the bytes of the record."""
            ...

        def tolist(self) -> tuple[int, ...]:
            """Return the fields as plain numbers."""
            ...


S = TypeVar("S", bound=Struct)


class Table(Protocol[S]):
    """An array of records, as the type checker sees it; `table[i]` is a record.

    The checker misses three errors. It accepts any name for a column (`table.pages`, a NumPy array)
    because a protocol cannot derive the columns from the fields of `S`. It accepts any string in
    `record[name]`. And it does not know the widths of fields: all are `int`. In the first two
    cases, Numba rejects a wrong name when the kernel is compiled. In the third case, a value that
    is too large for a field wraps.
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
    """The memory that a heap has obtained from the operating system."""

    next: Int64  # address of the first unused byte of the heap's reservation
    limit: Int64  # end of the unused range: the lowest mmapped address, or the reservation's end
    heap: Int64  # bytes obtained for spans
    metadata: Int64  # bytes obtained for the allocator's own records
    released: Int64  # bytes of the heap that are released and not yet reused
    footprint: Int64  # heap - released + metadata, kept up to date so that reading it is one load
    frozen: Int64  # 1: every further request for memory fails
    refusal: Int64  # Status of the last request that failed; 0 if none has
    bound: Int64  # footprint that no request may exceed; 0: unbounded


class Counters(Struct):
    """Counters that every design keeps."""

    grows: Int64  # requests to the OS for pages
    splits: Int64  # spans split in two
    coalesces: Int64  # free neighbours merged
    refills: Int64  # spans carved for a size class
    spans: Int64  # spans, in use and free
    free_spans: Int64  # spans on a free list
    large_pages: Int64  # pages of large objects and stack segments in use


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
"""The parts of a heap in bytes. At any moment they sum exactly to `heap`."""

COUNTS = ("grows", "splits", "coalesces", "refills")
"""Columns of a sample that count refills and operations of the page heap."""

SPAN_COUNTS = ("spans_total", "spans_in_use", "spans_free")
"""Columns of a sample that count spans."""


class Sample(Struct):
    """One measurement of a heap, in the order of the CSV columns.

    All fields except the counts are in bytes.
    """

    event: Int64  # events replayed before this sample
    live: Int64  # requested and not yet freed
    rounding: Int64  # allocated minus requested size
    tail: Int64  # span ends that are too small for an object
    thread_cache: Int64  # free objects in thread caches
    transfer: Int64  # free objects in the transfer cache
    central: Int64  # free objects in central free lists
    free_spans: Int64  # free pages in the page heap
    released: Int64  # free pages released to the OS
    heap: Int64  # equal to the sum of the eight parts above, but counted separately
    metadata: Int64
    footprint: Int64  # heap - released + metadata
    spans_total: Int64
    spans_in_use: Int64
    spans_free: Int64
    grows: Int64
    splits: Int64
    coalesces: Int64
    refills: Int64


SAMPLE = Sample.dtype
