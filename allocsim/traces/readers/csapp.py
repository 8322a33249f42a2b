"""The .rep files of the malloc lab of Computer Systems: A Programmer's Perspective (CS:APP).

A file has a header of numbers, one per line, and then one call per line. Lines that begin with #
are comments. The .script files of Stanford's CS107 have the same calls and no header. The numbers
of the header depend on the year of the lab:

    2002          suggested heap, ids, operations, weight
    2016          weight 0 to 3, ids, operations, peak bytes
    other years   ids, operations; or no header

A call is one of

    a ID SIZE     malloc
    r ID SIZE     realloc; the block keeps its ID
    f ID          free; a negative ID means NULL

From the header, the reader uses only the number of operations. If the file has a different number
of calls, a note says so. A call without a size has the size of the previous call, as in the lab's
driver, and a note gives the number of such calls. Each ID gets an invented address, because events
are made from addresses (see `object_ids`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.events import Op
from allocsim.text import counted
from allocsim.traces.calls import HUGE, SLOT_SIZE, CallRecord
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import NEWLINE, RETURN, SPACE, decimal, next_line, skip_line_end
from allocsim.traces.scan.line_reader import LineFormat, LineReader, read_line
from allocsim.traces.scan.state import ScanState
from allocsim.traces.source import Source

MAX_HEADER = 4
"""Count of numbers in the longest header. Other headers have two numbers, or none."""


class RepFile(Struct):
    """State of a file that is being read."""

    header: Int64  # count of header numbers read so far
    promised: Int64  # number of operations that the header gives, once the whole header is read
    operations: Int64  # number of operations read so far
    request: Int64  # size of the last call that has a size
    sized: Int64  # number of calls with a size
    unsized: Int64  # number of calls without a size; each took the size of the previous call


_ALLOCATE, _REALLOCATE, _FREE, _MINUS, _TAB, _COMMENT = (ord(letter) for letter in "arf-\t#")

_CALL = re.compile(rb"[ar][ \t]+\d+[ \t]+\d+|f[ \t]+-?\d+")


class CsappScan(NamedTuple):
    """Scanner (see `scan.line_reader`) of this format."""

    text: np.ndarray  # uint8
    state: Table[ScanState]  # one row
    file: Table[RepFile]  # one row


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with 0, 2 or 4 numbers, one per line, and then a call."""
    numbers = 0
    for line in head.split(b"\n"):
        line = line.strip()
        if line.isdigit():
            numbers += 1
        elif line and not line.startswith(b"#"):
            return numbers in (0, 2, MAX_HEADER) and _CALL.fullmatch(line) is not None
    return False


@answers(read_line, CsappScan)
@kernel
def _line(scan: CsappScan, position: int, call: CallRecord) -> int:
    """Read one line into `call`; return the position after its newline, or -1 (see read_line)."""
    file, state = scan.file[0], scan.state[0]
    letter = scan.text[position]
    if letter == _COMMENT:
        state.made = 0
        return next_line(scan.text, state, position)
    if letter == _FREE:
        call.op = Op.FREE
    elif letter in (_ALLOCATE, _REALLOCATE):
        call.op = Op.MALLOC if letter == _ALLOCATE else Op.REALLOC
    else:
        state.made = 0
        return _header(scan, position)
    if file.header % 2:  # a header has an even count of numbers
        return -1
    call.address = _id(scan, position + 1, letter == _FREE)
    call.old = call.address if letter == _REALLOCATE else 0
    call.request = 0 if letter == _FREE else _size(scan, state.position)
    file.operations += 1
    return _end_of_line(scan, state.position)


@kernel
def _header(scan: CsappScan, position: int) -> int:
    """Read a line of the header; return the position after its newline, or -1.

    The number of operations is the second of two numbers, or the third of four.
    """
    file = scan.file[0]
    if file.header == MAX_HEADER or file.operations:
        return -1
    number = decimal(scan.text, position, scan.state[0])
    if file.header in (1, 2):
        file.promised = number
    file.header += 1
    return _end_of_line(scan, scan.state[0].position)


@kernel
def _id(scan: CsappScan, position: int, may_be_null: bool) -> int:
    """Read blanks and an ID; return the ID's address.

    If `may_be_null`, the ID may be negative, which means NULL; the address is then 0. Sets
    state.position to -1 on failure.
    """
    start = _skip_blanks(scan.text, position)
    negative = may_be_null and scan.text[start] == _MINUS
    number = decimal(scan.text, start + negative, scan.state[0])
    if start == position or number >= HUGE // (2 * SLOT_SIZE):
        scan.state[0].position = -1
        return 0
    return 0 if negative else SLOT_SIZE * (number + 1)


@kernel
def _size(scan: CsappScan, position: int) -> int:
    """Read blanks and a size at `position`; return the size.

    If the line ends instead, return the previous call's size. If `position` is -1, because an
    earlier step failed, read nothing.
    """
    file, state = scan.file[0], scan.state[0]
    if position < 0:
        return 0
    start = _skip_blanks(scan.text, position)
    if scan.text[start] in (NEWLINE, RETURN) and file.sized:
        file.unsized += 1
    elif start == position:
        state.position = -1
    else:
        file.request = decimal(scan.text, start, state)
        file.sized += 1
    return file.request


@kernel
def _skip_blanks(text: np.ndarray, position: int) -> int:
    """Return the position after spaces and tabs."""
    while text[position] in (SPACE, _TAB):
        position += 1
    return position


@kernel
def _end_of_line(scan: CsappScan, position: int) -> int:
    """Skip blanks and a line end; return the position after it, or -1 if no line end follows."""
    return -1 if position < 0 else skip_line_end(scan.text, _skip_blanks(scan.text, position))


LINES = LineFormat(
    scanner=lambda text, state: CsappScan(text, state, records(RepFile)),
    grammar="0, 2 or 4 numbers, one per line, then 'a ID SIZE', 'r ID SIZE' or 'f ID', in decimal",
)


class CsappReader(LineReader):
    """The calls of a .rep file, with notes on a wrong header and on calls without a size."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, LINES)

    def batches(self) -> Iterator[Any]:
        """Yield arrays of CALL."""
        yield from super().batches()
        file = self._scan.file[0]
        if file.header and file.operations != file.promised:
            self.notes.append(
                f"the header promises {counted(file.promised, 'operation')}, but the file has "
                f"{file.operations:,}"
            )
        if file.unsized:
            self.notes.append(
                f"calls without a size: {file.unsized:,}; each took the size of the previous call, "
                "as in the lab's driver"
            )


FORMAT = Format(
    name="csapp",
    summary="traces of CS:APP's malloc lab (.rep) and of Stanford's CS107 (.script)",
    looks_like=looks_like,
    open=CsappReader,
)
