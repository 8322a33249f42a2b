"""Memory from the operating system: reservations through mmap, and what of them is resident.

At the bottom beside `jit`; a heap owns one reservation for spans and one for each table of
records. The states of a byte: *reserved* (address space only, costs nothing) and *touched*
(the kernel has given it a page). Its one rule: nothing ever moves.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from typing import Any, overload

import numpy as np

from allocsim.core.records import Grid, S, Table
from allocsim.errors import AddressSpaceError, PlatformError

OS_PAGE = mmap.PAGESIZE
"""Bytes in a page of the operating system."""

# MAP_NORESERVE has a name in the mmap module from Python 3.13 on; this is Linux's number for it.
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


class Reservation:
    """A range of address space that the kernel backs page by page when it is first written."""

    def __init__(self, length: int, alignment: int = OS_PAGE, behind: int = 0) -> None:
        """Reserve `length` bytes, rounded up to pages; AddressSpaceError if the OS refuses.

        The first byte lies `behind` bytes, whole pages, behind a multiple of `alignment`, a power
        of two.
        """
        if not hasattr(mmap, "MAP_ANONYMOUS") or not hasattr(mmap.mmap, "madvise"):
            raise PlatformError(
                "allocsim maps memory as Linux does; this system offers no such mmap"
            )
        self.length = -(-length // OS_PAGE) * OS_PAGE
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
        try:
            self.mapping = mmap.mmap(-1, self.length + alignment - OS_PAGE, flags=flags)
        except (OSError, OverflowError, ValueError) as refusal:
            raise AddressSpaceError(self.length, str(refusal)) from refusal
        begin: int = np.frombuffer(self.mapping, np.uint8).ctypes.data
        self._skipped = (behind - begin) % alignment
        self.address = begin + self._skipped
        """Address of the first byte."""

    def table(self, record: Any, shape: tuple[int, ...]) -> Any:
        """The reservation as an array of records, or of plain numbers, all zero at first."""
        dtype = np.dtype(record)
        count = int(np.prod(shape))
        array = np.frombuffer(self.mapping, dtype, count, self._skipped).reshape(shape)
        return array.view(np.recarray) if dtype.names else array

    def view(self, address: int, length: int) -> memoryview:
        """A writable view of `length` bytes from `address` on, which must lie inside."""
        offset = address - self.address
        if not 0 <= offset <= offset + length <= self.length:
            raise ValueError(f"{address:#x} + {length} lies outside the reservation")
        begin = self._skipped + offset
        return memoryview(self.mapping)[begin : begin + length]

    def close(self) -> None:
        """Give the range back to the OS; if a view of it is left, when the last one is gone."""
        mapping = self.__dict__.pop("mapping", None)  # a view that is left holds it, nobody else
        if mapping is not None:
            with contextlib.suppress(BufferError):
                mapping.close()

    def resident(self, length: int) -> int:
        """How many of the first `length` bytes the kernel keeps in memory, in whole OS pages.

        mincore counts exactly this range; smaps would add any neighbour mapping that the kernel
        has merged with ours.
        """
        return int(np.count_nonzero(self.present(length))) * OS_PAGE

    def present(self, length: int) -> np.ndarray:
        """For each OS page of the first `length` bytes whether the kernel keeps it; bool."""
        pages = -(-length // OS_PAGE)
        present = np.zeros(pages, np.uint8)
        if pages == 0:
            return present.astype(bool)
        span = ctypes.c_size_t(pages * OS_PAGE)
        vector = ctypes.c_void_p(present.ctypes.data)
        if _mincore(ctypes.c_void_p(self.address), span, vector) != 0:
            raise PlatformError(
                "the kernel does not tell which pages are resident (mincore failed)"
            )
        return (present & 1).astype(bool)


@overload
def table(record: type[S], rows: int, /) -> Table[S]: ...
@overload
def table(record: type[S], rows: int, columns: int, /) -> Grid[S]: ...
@overload
def table(record: Any, /, *shape: int) -> Any: ...
def table(record: Any, /, *shape: int) -> Any:
    """An array of records in a reservation of its own: untouched rows cost nothing."""
    count = int(np.prod(shape))
    return Reservation(count * np.dtype(record).itemsize).table(record, shape)


def _mincore(address: Any, length: Any, vector: Any) -> int:
    """The C library's mincore: 0 when it has filled the vector."""
    return int(ctypes.CDLL(None, use_errno=True).mincore(address, length, vector))
