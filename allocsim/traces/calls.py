"""The call: one line of a recording, with the addresses of the recorded program.

Between the readers, one for each format, which make calls, and `identity`, which turns them into
events. Its one rule: a call says what the recording says, no more; what it means is decided once,
for all formats, in `identity`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

CALL = np.dtype(
    [
        ("op", np.int64),  # an Op of `events`
        ("address", np.int64),  # what the call returned, or freed; 0: NULL
        ("old", np.int64),  # REALLOC: the address that was passed; else 0
        ("request", np.int64),  # bytes; calloc: the product; HUGE if that is beyond any heap
        ("alignment", np.int64),  # MEMALIGN: as recorded; else 0
        ("thread", np.int64),  # the recorded thread id; 0 when a format has none
        ("process", np.int64),  # the recorded process id; 0 when a format has none
    ],
    align=True,
)


class Call(NamedTuple):
    """A row of CALL, for readers in plain Python."""

    op: int
    address: int = 0
    old: int = 0
    request: int = 0
    alignment: int = 0
    thread: int = 0
    process: int = 0


ADDRESS_BITS = 60
"""Bits of an address that count: the top four hold a tag on some systems."""

HUGE = 1 << 62
"""A request that no heap can meet."""

PAGE = 4096
"""What valloc and pvalloc align to."""

BATCH = 1 << 14
"""Calls in a full batch: 896 KiB."""


class Halt(IntEnum):
    """Why a kernel of an import returned before its input was used up."""

    NONE = 0
    FULL = 1
    """The output is full."""
    BROKEN = 2
    """The line at the position is not of the format."""
    ROOM = 3
    """The table of live objects, or of threads, has to grow."""
    THREADS = 4
    """More threads than a stream can hold."""


def no_calls(count: int = BATCH) -> Any:
    """An array of `count` calls, all zero."""
    return np.zeros(count, CALL).view(np.recarray)
