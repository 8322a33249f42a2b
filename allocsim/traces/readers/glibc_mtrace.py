"""Raw traces of glibc's trace-utils: the .mtrace files that its libmtrace writes.

A file is an array of 64-byte records, little-endian. In the first record, the type is MAGIC, and
`pointer1` and `size` have fixed values, by which the format is recognised. Unused records, which
have type 0, are at the end of the file and may also be between other records. The types of calls:

    1 malloc, 2 calloc, 3 free, 4 realloc, 5 memalign, 6 valloc, 7 pvalloc, 8 posix_memalign

NumPy converts whole columns of records to columns of calls (see `calls`), so the reader needs no
compiled code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.events import Op
from allocsim.traces.calls import ADDRESS_BITS, HUGE, PAGE
from allocsim.traces.formats import Format
from allocsim.traces.scan.block_reader import BlockReader, Scanned

RECORD = np.dtype(
    [
        ("thread", "<i4"),
        ("type", "<u4"),  # in the low 8 bits; the other bits say which path in malloc was taken
        ("pointer1", "<u8"),  # free, realloc: the address passed; posix_memalign: the error
        ("pointer2", "<u8"),  # the address returned
        ("size", "<u8"),  # requested bytes; calloc: the product
        ("size2", "<u8"),  # memalign, posix_memalign: the alignment
        ("size3", "<u8"),
        ("padding", "<u8", 2),
    ]
)

UNUSED, FREE, REALLOC, MEMALIGN, VALLOC, PVALLOC, POSIX_MEMALIGN, MAGIC = 0, 3, 4, 5, 6, 7, 8, 255
"""Types that are not calls (UNUSED, MAGIC), or whose columns have a special meaning."""

MAGIC_POINTER, MAGIC_SIZE = 0x1234, 8
"""`pointer1` and `size` of the first record."""

_ADDRESS = np.uint64((1 << ADDRESS_BITS) - 1)
_OPS = np.full(256, -1, np.int64)  # Op by type; -1: a record of this type is not a call
_OPS[1:9] = (
    Op.MALLOC, Op.CALLOC, Op.FREE, Op.REALLOC,
    Op.MEMALIGN, Op.MEMALIGN, Op.MEMALIGN, Op.MEMALIGN,
)  # fmt: skip


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with the first record of a raw trace."""
    if len(head) < RECORD.itemsize:
        return False
    first = np.frombuffer(head, RECORD, 1)[0]
    fields = (int(first["type"]) & 0xFF, int(first["pointer1"]), int(first["size"]))
    return fields == (MAGIC, MAGIC_POINTER, MAGIC_SIZE)


class GlibcMtraceReader(BlockReader):
    """The calls of a raw trace."""

    grammar = (
        "a record of glibc's libmtrace: 64 bytes, the fifth of which is the type (255 in the first "
        "record, 0 to 8 in the others)"
    )

    def scan(self, start: int, end: int, calls: Any) -> Scanned:
        """Turn the complete records into calls."""
        complete = min((end - start) // RECORD.itemsize, len(calls))
        records = np.frombuffer(self._block, RECORD, complete, start)
        types = records["type"] & 0xFF
        is_known = (_OPS[types] >= 0) | (types == UNUSED) | (types == MAGIC)
        valid = complete if is_known.all() else int(is_known.argmin())
        is_call = _OPS[types[:valid]] >= 0
        count = int(is_call.sum())
        _fill(calls[:count], records[:valid][is_call])
        return Scanned(start + valid * RECORD.itemsize, count, valid < complete)


def _fill(calls: Any, records: Any) -> None:
    """Fill `calls` from the same number of records, all of which are calls."""
    types = records["type"] & 0xFF
    calls.op[:] = _OPS[types]
    calls.thread[:] = records["thread"].astype(np.int64) & 0xFFFFFFFF
    first, second = (records[name] & _ADDRESS for name in ("pointer1", "pointer2"))
    calls.address[:] = np.where(types == FREE, first, second)
    calls.old[:] = np.where(types == REALLOC, first, 0)
    calls.request[:] = np.where(types == FREE, 0, np.minimum(records["size"], np.uint64(HUGE)))
    calls.alignment[:] = np.where(
        (types == MEMALIGN) | (types == POSIX_MEMALIGN),
        np.minimum(records["size2"], np.uint64(HUGE)),
        np.where((types == VALLOC) | (types == PVALLOC), PAGE, 0),
    )
    failed = (types == POSIX_MEMALIGN) & (records["pointer1"] != 0)
    calls.address[failed] = 0


FORMAT = Format(
    name="glibc-mtrace",
    summary="raw traces of glibc's trace-utils: the .mtrace files that its libmtrace writes",
    looks_like=looks_like,
    open=GlibcMtraceReader,
)
