"""The output of Valgrind under --trace-malloc=yes (memcheck, massif, dhat; not --tool=none).

A line is --PID-- and then one of

    malloc(N) = 0xP     calloc(N,M) = 0xP     realloc(0xP,N) = 0xQ     free(0xP)
    memalign(al A, size N) = 0xP     _Znwm(N) = 0xP     _ZdlPv(0xP)     other new and delete

If one of these functions calls another one, Valgrind prints the second call on the same line, and
omits the result of the first call: realloc(0x0,N)malloc(N) = 0xP. The program's own output appears
between the lines, and even before the --PID-- of a line, so lines that are not calls are skipped
and counted. Calls that cannot be read are skipped too, and counted separately.
"""

from __future__ import annotations

from re import compile as pattern
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.core.records import Table
from allocsim.events import Op
from allocsim.traces.calls import HUGE, CallRecord
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import (
    NEWLINE,
    SPACE,
    decimal,
    pointer,
    product,
    skip_line_end,
    word,
    word_at,
)
from allocsim.traces.scan.line_reader import LineFormat, LineReader, read_line
from allocsim.traces.scan.state import ScanState
from allocsim.traces.source import Source

_MALLOC, _FREE = word(b"malloc"), word(b"free")
_CALLOC, _REALLOC = word(b"calloc"), word(b"realloc")
_MEMALIGN, _POSIX, _ALIGNED = word(b"memalig"), word(b"posix_m"), word(b"aligned")
_NEW, _DELETE, _BUILTIN = word(b"_Zn"), word(b"_Zd"), word(b"__built")
_BY_ALIGNMENT, _AND_SIZE = word(b"(al "), word(b", size ")
_BY_SIZE, _AND_ALIGNMENT = word(b"(size "), word(b", al ")
_AFTER_PID, _NO_RESULT, _RESULT = word(b"-- "), word(b" = 0"), word(b" = ")
_DASH, _COLON, _OPEN, _CLOSE, _E = (ord(character) for character in "-:()e")
_COMMA = word(b",")

MAX_NAME = 64
"""Maximum characters of a function's name."""

MAX_TIME = 32
"""Maximum characters of the time before a process id (--time-stamp=yes)."""

_CALL = pattern(
    rb"--(?:[\d.:]{1,32} )?\d{1,18}-- "
    rb"(?:malloc|calloc|realloc|memalign|free|_Z[nd]\w{1,64}|__builtin_\w{1,64})\("
)


class ValgrindScan(NamedTuple):
    """Scanner (see `scan.line_reader`) of this format."""

    text: np.ndarray  # uint8
    state: Table[ScanState]  # one row


def looks_like(head: bytes) -> bool:
    """Return whether the beginning of a file contains --PID-- and a call."""
    return _CALL.search(head) is not None


@answers(read_line, ValgrindScan)
@kernel
def _line(scan: ValgrindScan, position: int, call: CallRecord) -> int:
    """Read one line into `call`; return the position after its newline, or -1 (see read_line)."""
    text, state = scan.text, scan.state[0]
    call.thread = 0
    position = _process(text, state, position, call)
    if position < 0:
        return -1
    if word_at(state, position, 4) == _NO_RESULT:  # the result of realloc(P,0), on its own line
        state.made = 0
        return skip_line_end(text, position + 4)
    parenthesis = _operation(text, state, position, call)
    if parenthesis < 0:
        return -1
    position = _call(scan, parenthesis, call)
    state.unreadable += position < 0
    return position


@kernel
def _call(scan: ValgrindScan, parenthesis: int, call: CallRecord) -> int:
    """Read the call whose parenthesis is at `parenthesis`, and calls after it on the same line.

    `call` becomes the last of these calls. Returns the start of the next line, or -1 on failure.
    """
    text, state = scan.text, scan.state[0]
    while parenthesis >= 0:
        position = _arguments(scan, parenthesis, call)
        if position < 0:
            return -1
        if call.op == Op.FREE:
            return skip_line_end(text, position)
        if word_at(state, position, 3) == _RESULT:
            call.address = pointer(text, position + 3, state)
            return skip_line_end(text, state.position)
        if text[position] <= SPACE:
            return -1  # newer versions of Valgrind do not print the result of memalign
        parenthesis = _operation(text, state, position, call)
    return -1


@kernel
def _process(text: np.ndarray, state: ScanState, position: int, call: CallRecord) -> int:
    """Find --PID-- in the line and read the PID into call.process.

    Returns the position after --PID--, or -1 if the line does not contain --PID--.
    """
    while text[position] != NEWLINE:
        if text[position] == _DASH and text[position + 1] == _DASH:
            call.process = decimal(text, position + 2, state)
            if state.position >= 0 and text[state.position] == _COLON:  # --time-stamp=yes
                call.process = _process_after_time(text, state)
            end = state.position
            if end >= 0 and call.process != HUGE and word_at(state, end, 3) == _AFTER_PID:
                return end + 3
        position += 1
    return -1


@kernel
def _process_after_time(text: np.ndarray, state: ScanState) -> int:
    """Skip the rest of a time, and a space; then read the process id."""
    position = state.position
    end = position + MAX_TIME
    while position < end and text[position] != SPACE and text[position] != NEWLINE:
        position += 1
    state.position = -1
    return decimal(text, position + 1, state) if text[position] == SPACE else 0


@kernel
def _operation(text: np.ndarray, state: ScanState, position: int, call: CallRecord) -> int:
    """Read a function's name into call.op; return the position of its parenthesis, or -1."""
    end = position
    while text[end] > SPACE and text[end] != _OPEN and end < position + MAX_NAME:
        end += 1
    if text[end] != _OPEN:
        return -1
    length = end - position
    call.op = -1
    if word_at(state, position, 3) == _NEW or (
        word_at(state, position, 6) == _MALLOC and length == 6
    ):
        call.op = Op.MALLOC
    elif word_at(state, position, 3) == _DELETE or (
        word_at(state, position, 4) == _FREE and length == 4
    ):
        call.op = Op.FREE
    elif word_at(state, position, 7) == _REALLOC and length == 7:
        call.op = Op.REALLOC
    elif word_at(state, position, 6) == _CALLOC and length == 6:
        call.op = Op.CALLOC
    elif word_at(state, position, 7) == _BUILTIN:  # __builtin_[vec_]new, __builtin_[vec_]delete
        call.op = Op.FREE if text[end - 1] == _E else Op.MALLOC
    elif _is_aligned(word_at(state, position, 7)):
        call.op = Op.MEMALIGN
    return end if call.op >= 0 else -1


@kernel
def _is_aligned(name: int) -> bool:
    """Return whether a name begins like memalign, posix_memalign or aligned_alloc."""
    return name in (_MEMALIGN, _POSIX, _ALIGNED)


@kernel
def _arguments(scan: ValgrindScan, position: int, call: CallRecord) -> int:
    """Read (ARGUMENTS) into `call`; return the position after them, or -1."""
    text, state = scan.text, scan.state[0]
    call.alignment = 0
    call.request = 0
    call.address = 0
    call.old = 0
    if word_at(state, position, 4) == _BY_ALIGNMENT:
        call.alignment = decimal(text, position + 4, state)
        call.request = _second(text, state, _AND_SIZE, 7)
    elif word_at(state, position, 6) == _BY_SIZE:
        call.op = Op.MEMALIGN
        call.request = decimal(text, position + 6, state)
        call.alignment = _second(text, state, _AND_ALIGNMENT, 5)
    elif call.op == Op.FREE:
        call.address = pointer(text, position + 1, state)
    elif call.op == Op.REALLOC:
        call.old = pointer(text, position + 1, state)
        call.request = _second(text, state, _COMMA, 1)
    elif call.op == Op.CALLOC:
        count = decimal(text, position + 1, state)
        call.request = product(count, _second(text, state, _COMMA, 1))
    else:
        call.request = decimal(text, position + 1, state)
    position = state.position
    return position + 1 if position >= 0 and text[position] == _CLOSE else -1


@kernel
def _second(text: np.ndarray, state: ScanState, separator: int, length: int) -> int:
    """Read `separator` (`length` bytes) and a decimal number; return the number.

    Sets state.position to the end of the number, or to -1 on failure.
    """
    position = state.position
    if position < 0 or word_at(state, position, length) != separator:
        state.position = -1
        return 0
    return decimal(text, position + length, state)


LINES = LineFormat(
    scanner=lambda text, state: ValgrindScan(text, state),
    grammar="--PID-- malloc(N) = 0xPTR",
    mixed=True,
)


class ValgrindReader(LineReader):
    """The calls of a log, with notes on skipped lines and on unreadable calls."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, LINES)

    # Unlike the note of LineReader, this one gives the causes, which are known for this format.
    unreadable_note = (
        "dropped calls that cannot be read (cut off, without an address, or mixed with the line "
        "of another process; --log-file=%p.log writes a separate file for each process)"
    )


FORMAT = Format(
    name="valgrind",
    summary="Valgrind --trace-malloc=yes, as in: --2401-- malloc(1024) = 0x4D2C040",
    looks_like=looks_like,
    open=ValgrindReader,
)
