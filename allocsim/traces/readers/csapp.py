"""The .rep files of the malloc lab of Computer Systems: A Programmer's Perspective (CS:APP).

A reader: bytes to calls, by a compiled scanner. Numbers stand first, one a line, then calls; lines
that begin with # are comments, as in the .script files of Stanford's CS107, which have no header.

    2002: suggested heap, ids, operations, weight      a ID SIZE     malloc
    2016: weight 0 to 3, ids, operations, peak bytes   r ID SIZE     realloc; the block keeps its ID
    others: ids, operations; or nothing                f ID          free; of NULL if ID is negative

Of the header only the operations are looked at: a file with more or fewer is read, and a note says
so. A call without a size takes that of the call before it, as the lab's driver reads it, and a note
counts those. Its one rule: an ID is an address of its own, STEP apart. Memory is bounded by the
live blocks and two blocks of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.events import Op
from allocsim.traces.calls import HUGE
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import NEWLINE, RETURN, SPACE, behind_newline, decimal, next_line
from allocsim.traces.scan.line_reader import Lines, TextReader, read_line
from allocsim.traces.source import Source

STEP = 16
"""The invented address of ID is this times ID + 1."""

HEADER = 4
"""Numbers of the header at most; there may be none or two as well."""

FILE = np.dtype(
    [
        ("header", np.int64),  # numbers of the header read so far
        ("promised", np.int64),  # operations, as the header says, if it is whole
        ("operations", np.int64),  # operations read so far
        ("request", np.int64),  # bytes that the last call with a size asked for
        ("sized", np.int64),  # calls with a size
        ("unsized", np.int64),  # calls that took the size of another
    ]
)
"""What is known of the file so far."""

_ALLOCATE, _REALLOCATE, _FREE, _MINUS, _TAB, _COMMENT = (ord(letter) for letter in "arf-\t#")

_CALL = re.compile(rb"[ar][ \t]+\d+[ \t]+\d+|f[ \t]+-?\d+")


class CsappScan(NamedTuple):
    """The scanner of this format."""

    text: np.ndarray  # uint8
    state: np.recarray  # one SCAN
    file: np.recarray  # one FILE


def looks_like(head: bytes) -> bool:
    """Whether a file begins with none, two or four numbers, one a line, and then a call."""
    numbers = 0
    for line in head.split(b"\n"):
        line = line.strip()
        if line.isdigit():
            numbers += 1
        elif line and not line.startswith(b"#"):
            return numbers in (0, 2, HEADER) and _CALL.fullmatch(line) is not None
    return False


@answers(read_line, CsappScan)
@kernel
def _line(scan: CsappScan, position: int, call: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is broken."""
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
    if file.header % 2:  # one or three numbers are no header
        return -1
    call.address = _id(scan, position + 1, letter == _FREE)
    call.old = call.address if letter == _REALLOCATE else 0
    call.request = 0 if letter == _FREE else _size(scan, state.position)
    file.operations += 1
    return _end(scan, state.position)


@kernel
def _header(scan: CsappScan, position: int) -> int:
    """Read a line of the header: the last number of two, or the third of four, is promised."""
    file = scan.file[0]
    if file.header == HEADER or file.operations:
        return -1
    number = decimal(scan.text, position, scan.state[0])
    if file.header in (1, 2):
        file.promised = number
    file.header += 1
    return _end(scan, scan.state[0].position)


@kernel
def _id(scan: CsappScan, position: int, may_be_null: bool) -> int:
    """Read blanks and an ID: its address, 0 if it is negative; state.position is -1 if none."""
    start = _behind_blanks(scan.text, position)
    negative = may_be_null and scan.text[start] == _MINUS
    number = decimal(scan.text, start + negative, scan.state[0])
    if start == position or number >= HUGE // (2 * STEP):
        scan.state[0].position = -1
        return 0
    return 0 if negative else STEP * (number + 1)


@kernel
def _size(scan: CsappScan, position: int) -> int:
    """Read blanks and a size at `position`, unless that is -1; without one, the size before it."""
    file, state = scan.file[0], scan.state[0]
    if position < 0:
        return 0
    start = _behind_blanks(scan.text, position)
    if scan.text[start] in (NEWLINE, RETURN) and file.sized:
        file.unsized += 1
    elif start == position:
        state.position = -1
    else:
        file.request = decimal(scan.text, start, state)
        file.sized += 1
    return file.request


@kernel
def _behind_blanks(text: np.ndarray, position: int) -> int:
    """The position behind blanks and tabs."""
    while text[position] in (SPACE, _TAB):
        position += 1
    return position


@kernel
def _end(scan: CsappScan, position: int) -> int:
    """The position behind the line's end, before which there may be blanks; -1 if none is here."""
    return -1 if position < 0 else behind_newline(scan.text, _behind_blanks(scan.text, position))


def _begun(text: Any, state: Any) -> CsappScan:
    """The scanner at the beginning of a file."""
    return CsappScan(text, state, np.zeros(1, FILE).view(np.recarray))


LINES = Lines(
    scan=_begun,
    grammar="none, two or four numbers, one a line, then a ID SIZE, r ID SIZE or f ID, in decimal",
)


class CsappReader(TextReader):
    """The calls of a .rep file."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, LINES)

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL; notes at the end what the header or the calls do not say."""
        yield from super().batches()
        file = self._scan.file[0]
        if file.header and file.operations != file.promised:
            self.notes.append(
                f"the header promises {file.promised:,} operations, and the file has "
                f"{file.operations:,}"
            )
        if file.unsized:
            self.notes.append(
                f"calls without a size: {file.unsized:,}; each took that of the call before it, as "
                "the driver of the lab reads them"
            )


FORMAT = Format(
    name="csapp",
    summary="the .rep files of CS:APP's malloc lab, the .script files of CS107's",
    looks_like=looks_like,
    open=CsappReader,
)
