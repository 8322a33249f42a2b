"""Reservations of address space (mmap), and how much of each is resident.

A heap has one reservation for its spans and one per table of records. Reserved bytes use no memory
until they are written. A table is reserved at its maximum size, so no record ever moves.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from itertools import cycle
from typing import Any, overload

import numpy as np

from allocsim.core.records import Grid, S, Table
from allocsim.errors import AddressSpaceError, PlatformError

OS_PAGE = mmap.PAGESIZE
"""Size of an OS page."""

# The mmap module defines MAP_NORESERVE from Python 3.13 on; 0x4000 is its value on Linux.
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)

STAGGER = 448
"""Each table starts STAGGER bytes further into a page than the table before it (see `table`). 448
bytes are an odd number of cache lines (7), so 64 successive tables start at 64 different lines."""

_offsets = cycle(number * STAGGER % OS_PAGE for number in range(OS_PAGE // 64))
"""The offset of the next table in its first page."""


class Reservation:
    """A range of address space. The OS provides memory for a page at the first write to it."""

    def __init__(self, length: int, alignment: int = OS_PAGE, offset: int = 0) -> None:
        """Reserve `length` bytes, rounded up to pages; raise AddressSpaceError if the OS refuses.

        The start address is `offset` bytes after a multiple of `alignment`. The offset is a
        multiple of the page size; the alignment is a power of two.
        """
        if not hasattr(mmap, "MAP_ANONYMOUS") or not hasattr(mmap.mmap, "madvise"):
            raise PlatformError(
                "allocsim needs the mmap and madvise of Linux, which this system does not have"
            )
        self.length = -(-length // OS_PAGE) * OS_PAGE
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
        try:
            # The mapping is long enough to contain an aligned range, wherever the OS places it.
            self.mapping = mmap.mmap(-1, self.length + alignment - OS_PAGE, flags=flags)
        except (OSError, OverflowError, ValueError) as refusal:
            raise AddressSpaceError(self.length, str(refusal)) from refusal
        begin: int = np.frombuffer(self.mapping, np.uint8).ctypes.data
        self._skipped = (offset - begin) % alignment
        self.address = begin + self._skipped
        """Address of the first byte."""

    def table(self, record: Any, shape: tuple[int, ...], offset: int = 0) -> Any:
        """Return an array of records or numbers, initially zero, `offset` bytes from the start."""
        dtype = np.dtype(record)
        count = int(np.prod(shape))
        array = np.frombuffer(self.mapping, dtype, count, self._skipped + offset).reshape(shape)
        return array.view(np.recarray) if dtype.names else array

    def view(self, address: int, length: int) -> memoryview:
        """Return a writable view of `length` bytes at `address`.

        Raises ValueError if they are not all in the reservation.
        """
        offset = address - self.address
        if not 0 <= offset <= offset + length <= self.length:
            raise ValueError(f"{address:#x} + {length} is outside the reservation")
        begin = self._skipped + offset
        return memoryview(self.mapping)[begin : begin + length]

    def close(self) -> None:
        """Unmap the range. If it has views, it is unmapped when the last view is deleted."""
        mapping = self.__dict__.pop("mapping", None)  # from now on only views refer to it
        if mapping is not None:
            with contextlib.suppress(BufferError):
                mapping.close()

    def resident(self, length: int, begin: int | None = None) -> int:
        """Return how many of `length` bytes are resident, in whole OS pages (see `present`).

        mincore counts exactly this range; smaps would include adjacent mappings that the OS has
        merged with this one.
        """
        return int(np.count_nonzero(self.present(length, begin))) * OS_PAGE

    def present(self, length: int, begin: int | None = None) -> np.ndarray:
        """Return an array of bool with an entry for each OS page: whether it is resident.

        The pages cover a range of `length` bytes. The range starts at the address `begin`, a
        multiple of the page size, or by default at the first byte of the reservation.
        """
        address = self.address if begin is None else begin
        pages = -(-length // OS_PAGE)
        present = np.zeros(pages, np.uint8)
        if pages == 0:
            return present.astype(bool)
        span = ctypes.c_size_t(pages * OS_PAGE)
        vector = ctypes.c_void_p(present.ctypes.data)
        if _mincore(ctypes.c_void_p(address), span, vector) != 0:
            raise PlatformError("cannot determine which pages are resident (mincore failed)")
        return (present & 1).astype(bool)


@overload
def table(record: type[S], rows: int, /) -> Table[S]: ...
@overload
def table(record: type[S], rows: int, columns: int, /) -> Grid[S]: ...
@overload
def table(record: Any, /, *shape: int) -> Any: ...
def table(record: Any, /, *shape: int) -> Any:
    """Return an array of records in its own reservation; unused rows cost no memory.

    Successive tables start STAGGER bytes further into a page. If every table started at the start
    of a page, the first rows of all tables would share one set of 8 lines of the L1 cache.
    """
    length, offset = int(np.prod(shape)) * np.dtype(record).itemsize, next(_offsets)
    return Reservation(length + offset).table(record, shape, offset)


def _mincore(address: Any, length: Any, vector: Any) -> int:
    """Call the C library's mincore; return 0 if it has filled the vector."""
    return int(ctypes.CDLL(None, use_errno=True).mincore(address, length, vector))
