"""Calls: the form in which the readers of all formats return the content of a recording.

A call is a malloc, calloc, memalign, realloc or free of the recorded program, with the addresses
that the program used. The end of a thread is recorded as a call too. A reader does not interpret
the calls. `object_ids` turns them into events (see `allocsim.events`), by the same rules for all
formats.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from allocsim.core.records import Int64, Struct
from allocsim.core.tables import records


class CallRecord(Struct):
    """A call, as a row of a batch. A batch is an array of calls."""

    op: Int64  # an Op (see `allocsim.events`), or MOVE or TOUCHED
    address: Int64  # address returned by the call (free: its argument); MOVE: new address; 0: NULL
    old: Int64  # REALLOC: the address passed; MOVE: the object's previous address; else 0
    request: Int64  # requested bytes; calloc: the product; HUGE if too large for any heap
    alignment: Int64  # MEMALIGN: the alignment in bytes, as recorded; else 0
    thread: Int64  # recorded thread id; 0 if the format has none
    process: Int64  # recorded process id; 0 if the format has none
    site: Int64  # site number of a call that allocates (see `call_sites`); 0 if unknown


CALL = CallRecord.dtype
"""NumPy type of a call in an array."""


class Call(NamedTuple):
    """A call with the fields of CallRecord, for readers that are not compiled."""

    op: int
    address: int = 0
    old: int = 0
    request: int = 0
    alignment: int = 0
    thread: int = 0
    process: int = 0
    site: int = 0


MOVE = 8
"""Operation of a call that only changes the address of an object. Such a call becomes no event.
Only `preload.merge` makes such calls. The value is the first number that is not an Op."""

TOUCHED = 9
"""Operation of a call that reports, in `request`, how many bytes of the object at `address` are in
memory. Only `preload.merge` makes such calls. `object_ids` turns them into events with the same
operation. Only `preload.untouched` reads these events."""

ADDRESS_BITS = 60
"""Number of low bits of an address that are kept. The top four bits are dropped, because on some
systems they contain a tag."""

SLOT_SIZE = 16
"""Distance in bytes between invented addresses, for formats that identify a block by a number
instead of an address. 16 is malloc's usual alignment."""

HUGE = 1 << 62
"""A reader stores this size in place of every larger size. No heap can satisfy a request of that
many bytes, so `object_ids` drops the call."""

PAGE = 4096
"""Alignment of blocks from valloc and pvalloc, in bytes."""

BATCH = 1 << 14
"""Number of calls in a full batch. Such a batch takes 1 MiB."""


class Halt(IntEnum):
    """The reason why a kernel has stopped scanning text or making events."""

    NONE = 0
    """The kernel has reached the end of its input."""
    OUTPUT_FULL = 1
    """The output array may be too small for the result of one more line or call."""
    BAD_LINE = 2
    """The line at the current position is not in the reader's format."""
    TABLE_FULL = 3
    """The table of live objects must grow."""
    TOO_MANY_THREADS = 4
    """The recording has more threads than MAX_THREADS."""


def no_calls(count: int = BATCH) -> Any:
    """Return an array of `count` calls whose fields are all zero."""
    return records(CallRecord, count)
