"""The call: one line or record of a recording, with the addresses of the recorded program.

Readers, one for each format, produce calls; `object_ids` turns them into events. A call repeats
what the recording says, without interpreting it; `object_ids` interprets the calls of all formats
in the same way.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from allocsim.core.records import Int64, Struct
from allocsim.core.tables import records


class CallRecord(Struct):
    """A row of a batch of calls."""

    op: Int64  # an Op of `events`, or MOVE
    address: Int64  # the address returned or, by free, passed; 0 for NULL
    old: Int64  # REALLOC: the address passed; MOVE: the address before; else 0
    request: Int64  # requested bytes; calloc: the product; HUGE if too large for any heap
    alignment: Int64  # MEMALIGN: the alignment in bytes, as recorded; else 0
    thread: Int64  # recorded thread id; 0 if the format has none
    process: Int64  # recorded process id; 0 if the format has none


CALL = CallRecord.dtype


class Call(NamedTuple):
    """A row of CALL, for readers in plain Python."""

    op: int
    address: int = 0
    old: int = 0
    request: int = 0
    alignment: int = 0
    thread: int = 0
    process: int = 0


MOVE = 8
"""Operation of a call that gives an object another address and makes no event."""

ADDRESS_BITS = 60
"""Number of low bits kept of an address: on some systems the top four bits hold a tag."""

SLOT_SIZE = 16
"""Bytes between the addresses invented for formats that record block numbers instead of addresses.
It is malloc's usual alignment."""

HUGE = 1 << 62
"""A request that no heap can meet."""

PAGE = 4096
"""Alignment of valloc and pvalloc."""

BATCH = 1 << 14
"""Calls in a full batch: 896 KiB."""


class Halt(IntEnum):
    """Reason why an import kernel returned before the end of its input."""

    NONE = 0
    OUTPUT_FULL = 1
    BAD_LINE = 2
    """The line at the current position is not in the reader's format."""
    TABLE_FULL = 3
    """The table of live objects must grow."""
    TOO_MANY_THREADS = 4
    """More threads than MAX_THREADS."""


def no_calls(count: int = BATCH) -> Any:
    """Return an array of `count` calls, all zero."""
    return records(CallRecord, count)
