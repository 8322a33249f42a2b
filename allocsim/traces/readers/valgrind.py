"""What Valgrind prints under --trace-malloc=yes (memcheck, massif, dhat; not --tool=none).

A reader: bytes to calls, by a compiled scanner. A line is --PID-- and then one of

    malloc(N) = 0xP     calloc(N,M) = 0xP     realloc(0xP,N) = 0xQ     free(0xP)
    memalign(al A, size N) = 0xP     _Znwm(N) = 0xP and its kin     _ZdlPv(0xP) and its kin

A call without a result of its own is followed, on its line, by the one that did its work:
realloc(0x0,N)malloc(N) = 0xP. Its one rule: the program's output stands among the lines, and even
before the --PID-- of one, so whatever is no call is left out and counted; so are calls that cannot
be read, which are counted apart: state.held.
"""

from __future__ import annotations

from functools import partial
from re import compile as pattern
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.events import Op
from allocsim.traces.calls import HUGE
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import (
    NEWLINE,
    SPACE,
    behind_newline,
    decimal,
    pointer,
    product,
    word,
    word_at,
)
from allocsim.traces.scan.line_reader import Lines, TextReader, read_line

_MALLOC, _FREE, _CALLOC, _REALLOC = (
    word(b"malloc"),
    word(b"free"),
    word(b"calloc"),
    word(b"realloc"),
)
_MEMALIGN, _POSIX, _ALIGNED = word(b"memalig"), word(b"posix_m"), word(b"aligned")
_NEW, _DELETE, _BUILTIN = word(b"_Zn"), word(b"_Zd"), word(b"__built")
_BY_ALIGNMENT, _AND_SIZE = word(b"(al "), word(b", size ")
_BY_SIZE, _AND_ALIGNMENT = word(b"(size "), word(b", al ")
_MARK, _NO_RESULT, _RESULT = word(b"-- "), word(b" = 0"), word(b" = ")
_DASH, _COLON, _OPEN, _CLOSE, _COMMA, _E = (ord(character) for character in "-:(),e")

LONGEST_NAME = 64
"""Characters that a function's name may have."""

LONGEST_TIME = 32
"""Characters that a time before the process may have."""

_BEGINNING = pattern(
    rb"--(?:[\d.:]{1,32} )?\d{1,18}-- "
    rb"(?:malloc|calloc|realloc|memalign|free|_Z[nd]\w{1,64}|__builtin_\w{1,64})\("
)


class ValgrindScan(NamedTuple):
    """The scanner of this format."""

    text: np.ndarray  # uint8
    state: np.recarray  # one SCAN


def looks_like(head: bytes) -> bool:
    """Whether the beginning holds a call behind --PID--."""
    return _BEGINNING.search(head) is not None


@answers(read_line, ValgrindScan)
@kernel
def _line(scan: ValgrindScan, position: int, call: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is none of ours."""
    text, state = scan.text, scan.state[0]
    call.thread = 0
    position = _behind_mark(text, state, position, call)
    if position < 0:
        return -1
    if word_at(state, position, 4) == _NO_RESULT:  # the end of realloc(P,0)free(P)
        state.made = 0
        return behind_newline(text, position + 4)
    place = _operation(text, state, position, call)
    if place < 0:
        return -1
    position = _call(scan, place, call)
    state.held += position < 0
    return position


@kernel
def _call(scan: ValgrindScan, place: int, call: np.record) -> int:
    """Read the call whose parenthesis is at `place`; the position behind its line, or -1."""
    text, state = scan.text, scan.state[0]
    while place >= 0:
        position = _arguments(scan, place, call)
        if position < 0:
            return -1
        if call.op == Op.FREE:
            return behind_newline(text, position)
        if word_at(state, position, 3) == _RESULT:
            call.address = pointer(text, position + 3, state)
            return behind_newline(text, state.position)
        if text[position] <= SPACE:
            return -1  # an aligned call of newer versions, which does not say its address
        place = _operation(text, state, position, call)
    return -1


@kernel
def _behind_mark(text: np.ndarray, state: np.record, position: int, call: np.record) -> int:
    """Read --PID-- into call.process, which may stand behind output; the position behind, or -1."""
    while text[position] != NEWLINE:
        if text[position] == _DASH and text[position + 1] == _DASH:
            call.process = decimal(text, position + 2, state)
            if state.position >= 0 and text[state.position] == _COLON:  # --time-stamp=yes
                call.process = _behind_time(text, state)
            place = state.position
            if place >= 0 and call.process != HUGE and word_at(state, place, 3) == _MARK:
                return place + 3
        position += 1
    return -1


@kernel
def _behind_time(text: np.ndarray, state: np.record) -> int:
    """Read the rest of a time, a blank and a process id."""
    position = state.position
    end = position + LONGEST_TIME
    while position < end and text[position] != SPACE and text[position] != NEWLINE:
        position += 1
    state.position = -1
    return decimal(text, position + 1, state) if text[position] == SPACE else 0


@kernel
def _operation(text: np.ndarray, state: np.record, position: int, call: np.record) -> int:
    """Read a function's name into call.op; the position of its parenthesis, or -1."""
    place = position
    while text[place] > SPACE and text[place] != _OPEN and place < position + LONGEST_NAME:
        place += 1
    if text[place] != _OPEN:
        return -1
    length = place - position
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
        call.op = Op.FREE if text[place - 1] == _E else Op.MALLOC
    elif _is_aligned(word_at(state, position, 7)):
        call.op = Op.MEMALIGN
    return place if call.op >= 0 else -1


@kernel
def _is_aligned(name: int) -> bool:
    """Whether a name begins as memalign, posix_memalign or aligned_alloc."""
    return name in (_MEMALIGN, _POSIX, _ALIGNED)


@kernel
def _arguments(scan: ValgrindScan, position: int, call: np.record) -> int:
    """Read (ARGUMENTS) into `call`; the position behind, or -1."""
    text, state = scan.text, scan.state[0]
    call.alignment = 0
    call.request = 0
    call.address = 0
    call.old = 0
    state.factor = 1
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
def _second(text: np.ndarray, state: np.record, before: int, length: int) -> int:
    """Read what separates the arguments, `length` bytes, and a decimal number."""
    position = state.position
    if position < 0 or word_at(state, position, length) != before:
        state.position = -1
        return 0
    return decimal(text, position + length, state)


FORMAT = Format(
    name="valgrind",
    summary="Valgrind --trace-malloc=yes, as in: --2401-- malloc(1024) = 0x4D2C040",
    looks_like=looks_like,
    open=partial(
        TextReader,
        lines=Lines(
            scan=ValgrindScan,
            grammar="--PID-- malloc(N) = 0xPTR",
            mixed=True,
            lost="calls that cannot be read, left out (cut off, without an address, or run into "
            "the line of another process: --log-file=%p.log gives each its own)",
        ),
    ),
)
