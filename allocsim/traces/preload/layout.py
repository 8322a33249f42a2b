"""Files of a recording, as `recorders/preload/source` defines them.

A program image is what one process runs until it calls exec or ends; each exec begins another
image. An image has a file PID-STAMP that holds one header, and files for each lane. A lane is a
sequence of records that one thread at a time writes. When a thread ends, a new thread continues its
lane. Lane 0 has the stacks of the calls instead of records, and exists only if stacks are recorded
(see `stacks`).

The last chunk of lane N is in the file PID-STAMP.Nw, which is called the lane's window. The chunks
before it are in the file PID-STAMP.N (see `lane_files`). Up to version 3, all chunks are in
PID-STAMP.N.

A stamp is the time of a call, in ticks of the processor's time stamp counter or in ns. In ticks, it
may be earlier than the call once the thread has filled a chunk, but not earlier than the thread's
eighth call before that. If the process is sampled (see `recorders.preload.watch`), it is not
earlier than the last sample either.

A record consists of 8-byte words. Its first word has the operation in the low byte and the stamp
above it. A chunk has CHUNK bytes, and ends with SLACK bytes without records. Words that are 0 may
precede a record, and are skipped.

Since version 5, most records are SHORT: one word has, from the low bit up, the operation, the
stamp, the address and the size. The stamp and the address are differences from those in the lane's
last BASE record.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

CHUNK = 128 << 10
"""Bytes of a chunk."""

SLACK = 512
"""Bytes at the end of a chunk that hold no records."""

TEXT_WORDS = 4
"""Words that the name of a thread or program takes in a record."""

SHORT = 32
"""Bit of a record's operation. If it is set, the record is one word."""

OP_BITS, STAMP_BITS, ADDRESS_BITS = 6, 16, 28
"""Widths in bits of the fields of a SHORT record. The size takes the remaining bits."""

UNIT = 16
"""Unit in bytes of the address of a SHORT record."""

SMALL = 64
"""Bit of a record's operation. If it is set, the size has no word of its own; it is in the top 16
bits of the address's word."""

WITH_SITE = 128
"""Bit of a record's operation. If it is set, one more word follows: the number of the call's
stack."""

CODE = 31
"""Bits of an operation that are its Code."""


class Code(IntEnum):
    """Operation of a record."""

    MALLOC = 1
    CALLOC = 2
    MEMALIGN = 3
    POSIX_MEMALIGN = 4
    ALIGNED_ALLOC = 5
    VALLOC = 6
    PVALLOC = 7
    NEW = 8
    NEW_ALIGNED = 9
    REALLOC_NULL = 10
    REALLOCARRAY_NULL = 11
    REALLOC = 12
    """First record of a realloc, written before the call: the old address and the new size."""
    REALLOCARRAY = 13
    """First record of a reallocarray, with the same words as REALLOC."""
    RESIZED = 14
    """Second record of a realloc or a reallocarray, written after the call: the new address, 0 on
    failure."""
    FREE = 15
    DELETE = 16
    BEGIN = 17
    """A thread begins to write into the lane. The thread may have written into other lanes before.
    """
    END = 18
    """The thread has ended."""
    NAME = 19
    """The name of the thread."""
    EXEC = 20
    """The process, or a child of vfork, starts a program by exec or posix_spawn."""
    EXEC_FAILED = 21
    """The last exec of the process has failed."""
    UNWRITTEN = 22
    """A record that was reserved but never written. The number of its words is in place of the
    stamp."""
    TOUCHED = 23
    """The address of a large block, and how many of its bytes are in memory. The record is written
    before the block is freed or resized, or when the program ends if the block is still live."""
    BASE = 24
    """The stamp and the address to which those of the SHORT records after it are relative."""


KINDS = {
    "malloc": (Code.MALLOC,),
    "calloc": (Code.CALLOC,),
    "realloc": (Code.REALLOC, Code.REALLOC_NULL),
    "reallocarray": (Code.REALLOCARRAY, Code.REALLOCARRAY_NULL),
    "memalign": (Code.MEMALIGN,),
    "posix_memalign": (Code.POSIX_MEMALIGN,),
    "aligned_alloc": (Code.ALIGNED_ALLOC,),
    "valloc": (Code.VALLOC,),
    "pvalloc": (Code.PVALLOC,),
    "operator new": (Code.NEW,),
    "operator new(align_val_t)": (Code.NEW_ALIGNED,),
    "free": (Code.FREE,),
    "operator delete": (Code.DELETE,),
}
"""The functions that a program may call, and the codes of their records. Calls of operators new and
delete are recorded only if the library that defines malloc also defines these operators. Otherwise,
only the calls of malloc and free that the operators make are recorded."""


def _words(code: Code) -> int:
    """Return the number of words of a record with this code."""
    if code in (Code.NAME, Code.EXEC):
        return 2 + TEXT_WORDS
    return 3 if code <= Code.REALLOCARRAY or code == Code.TOUCHED else 2


WORDS = np.array([0, *map(_words, Code)], np.int64)
"""Words of a record by Code, or 0 if no record has this code."""
