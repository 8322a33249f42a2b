"""The byte codes of a glibc trace-utils workload.

A stream consists of byte codes, each with its operands. An operand is a number in groups of 7 bits,
one group per byte, the most significant group first. Bit 7 is set in every byte except the last.

A SLOT is a variable for one pointer, and OLD is the slot of the block to resize. A thread that
waits for a SYNC continues once another thread has written the SYNC. The codes 8 to 11 occur only in
the file's header, which `glibc_wl` reads. trace2wl writes the codes 13 and 14, although trace_run
refuses to replay them. All codes of a stream:

    2 malloc SLOT SIZE    4 realloc SLOT OLD SIZE    12 memalign SLOT ALIGN SIZE    0 nothing
    3 calloc SLOT SIZE    5 free SLOT                13 valloc SLOT SIZE            1 done
    6 write SYNC          7 wait SYNC                14 pvalloc SLOT SIZE
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The byte codes."""

    NOTHING = 0
    DONE = 1
    MALLOC = 2
    CALLOC = 3
    REALLOC = 4
    FREE = 5
    WRITE = 6
    WAIT = 7
    SLOTS = 8
    SYNCS = 9
    THREADS = 10
    START = 11
    MEMALIGN = 12
    VALLOC = 13
    PVALLOC = 14
