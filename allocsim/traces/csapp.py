"""The .rep files of the malloc lab of Computer Systems: A Programmer's Perspective (CS:APP).

A reader: bytes to calls, by a compiled scanner. Four numbers stand first, one a line, then calls:

    2002: suggested heap, ids, operations, weight      a ID SIZE     malloc
    2016: weight 0 to 3, ids, operations, peak bytes   r ID SIZE     realloc; the block keeps its ID
                                                       f ID          free; of NULL if ID is negative

Ids and operations are lines 2 and 3 of both, and of those only the operations are looked at: a file
with more or fewer is read, and a note says so. Its one rule: an ID is an address of its own, STEP
apart. Memory is bounded by the live blocks and two blocks of text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.events import Op
from allocsim.traces.calls import HUGE
from allocsim.traces.container import Source
from allocsim.traces.formats import Format
from allocsim.traces.numbers import SPACE, behind_newline, decimal
from allocsim.traces.text import Lines, TextReader, read_line

STEP = 16
"""The invented address of ID is this times ID + 1."""

HEADER, OPERATIONS = 4, 2
"""Numbers of the header, and which of them, from 0 on, counts the operations."""

FILE = np.dtype(
    [
        ("header", np.int64),  # numbers of the header read so far
        ("promised", np.int64),  # operations, as the header says
        ("operations", np.int64),  # operations read so far
    ]
)
"""What is known of the file so far."""

_ALLOCATE, _REALLOCATE, _FREE, _MINUS, _TAB = (ord(letter) for letter in "arf-\t")


class CsappScan(NamedTuple):
    """The scanner of this format."""

    text: np.ndarray  # uint8
    state: np.recarray  # one SCAN
    file: np.recarray  # one FILE


def looks_like(head: bytes) -> bool:
    """Whether a file begins with four numbers, one a line, and then a call."""
    lines = [line.strip() for line in head[:400].split(b"\n")]
    first = [line for line in lines if line][: HEADER + 1]
    numbers, call = first[:HEADER], first[HEADER:]
    return (
        all(line.isdigit() for line in numbers)
        and all(line[:2] in (b"a ", b"r ", b"f ") for line in call)
        and len(first) > HEADER
    )


@answers(read_line, CsappScan)
@kernel
def _line(scan: CsappScan, position: int, call: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is broken."""
    file, state = scan.file[0], scan.state[0]
    if file.header < HEADER:
        state.made = 0
        return _header(scan, position)
    letter = scan.text[position]
    if letter == _FREE:
        call.op = Op.FREE
    elif letter in (_ALLOCATE, _REALLOCATE):
        call.op = Op.MALLOC if letter == _ALLOCATE else Op.REALLOC
    else:
        return -1
    call.address = _id(scan, position + 1, letter == _FREE)
    call.old = call.address if letter == _REALLOCATE else 0
    call.request = 0 if letter == _FREE else _number(scan, state.position)
    file.operations += 1
    return _end(scan, state.position)


@kernel
def _header(scan: CsappScan, position: int) -> int:
    """Read a line of the header."""
    number = decimal(scan.text, position, scan.state[0])
    if scan.file[0].header == OPERATIONS:
        scan.file[0].promised = number
    scan.file[0].header += 1
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
def _number(scan: CsappScan, position: int) -> int:
    """Read blanks and a number at `position`, unless that is -1."""
    start = _behind_blanks(scan.text, position) if position > 0 else 0
    if start <= position or position < 0:
        scan.state[0].position = -1
        return 0
    return decimal(scan.text, start, scan.state[0])


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
    grammar="four numbers, one a line, then a ID SIZE, r ID SIZE or f ID, in decimal",
)


class CsappReader(TextReader):
    """The calls of a .rep file."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, LINES)

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL; notes at the end whether they are as many as the header says."""
        yield from super().batches()
        file = self._scan.file[0]
        if file.header == HEADER and file.operations != file.promised:
            self.notes.append(
                f"the header promises {file.promised:,} operations, and the file has "
                f"{file.operations:,}"
            )


FORMAT = Format(
    name="csapp",
    summary="the .rep files of CS:APP's malloc lab",
    looks_like=looks_like,
    open=CsappReader,
)
