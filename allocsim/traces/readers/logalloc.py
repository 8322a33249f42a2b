"""Firefox's allocation logs (MALLOC_LOG), raw or processed by logalloc_munge.py.

A line is PID [TID] and then one of

    malloc(N)=0xP     calloc(N,M)=0xP     realloc(0xP,N)=0xQ     free(0xP)     valloc(N)=0xP
    memalign(A,N)=0xP     posix_memalign(A,N)=0xP     aligned_alloc(A,N)=0xP     jemalloc_stats()

Calls without arguments do not affect the heap. A munged log, which logalloc_munge.py has processed,
has small process and thread ids, and #SLOT instead of each address. One of the slots means NULL,
but the log does not say which one. Each of the other slots has a live object when it is freed or
resized, because logalloc_munge.py drops the calls on unknown objects.
"""

from __future__ import annotations

from functools import partial
from re import compile as pattern
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.core.raw import load_word
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.events import Op
from allocsim.traces.calls import HUGE, PAGE, CallRecord
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import (
    COMMA,
    SPACE,
    decimal,
    next_decimal,
    pointer,
    product,
    skip_line_end,
    word,
    word_at,
)
from allocsim.traces.scan.line_reader import LineFormat, LineReader, read_line
from allocsim.traces.scan.state import ScanState

_MALLOC, _FREE, _CALLOC = word(b"malloc("), word(b"free("), word(b"calloc(")
_REALLOC, _VALLOC = word(b"realloc("), word(b"valloc(")
_MEMALIGN, _POSIX, _ALIGNED = word(b"memalign"), word(b"posix_me"), word(b"aligned_")
_SLOT, _OPEN, _CLOSE, _EQUALS = (ord(character) for character in "#()=")
_NINE = ord("9")

_FIRST_LINE = pattern(
    rb"\d{1,18} (?:\d{1,18} )?"
    rb"(?:(?:malloc\(\d+|valloc\(\d+|(?:calloc|memalign|posix_memalign|aligned_alloc)\(\d+,\d+"
    rb"|realloc\([0#(][^ ,\n]*,\d+)\)=|(?:free\([0#(][^ \n]*\)|jemalloc_\w+\(\))\r?(?:\n|$))"
)
"""Matches a whole call. The beginning of a call is not enough to distinguish the format, because
ltrace -f writes PID malloc(10) = 0xP."""


class Log(Struct):
    """Facts about the log, known from the lines read so far."""

    is_munged: Int64  # 1 once a #SLOT has been read


class LogallocScan(NamedTuple):
    """Scanner (see `scan.line_reader`) of this format."""

    text: np.ndarray  # uint8
    state: Table[ScanState]  # one row
    log: Table[Log]  # one row


def looks_like(head: bytes) -> bool:
    """Return whether the first line is PID [TID] and a call."""
    return _FIRST_LINE.match(head.lstrip()) is not None


@answers(read_line, LogallocScan)
@kernel
def _line(scan: LogallocScan, position: int, call: CallRecord) -> int:
    """Read one line into `call`; return the position after its newline, or -1 (see read_line)."""
    text, state = scan.text, scan.state[0]
    call.process = decimal(text, position, state)
    call.thread = 0
    if state.position >= 0 and text[state.position + 1] <= _NINE:
        call.thread = next_decimal(text, state, SPACE)
    position = state.position
    if position < 0 or text[position] != SPACE or max(call.process, call.thread) == HUGE:
        return -1
    parenthesis = _operation(text, state, position + 1, call)
    if parenthesis < 0:
        return -1
    if text[parenthesis + 1] == _CLOSE:  # no arguments: the call does not affect the heap
        state.made = 0
        return skip_line_end(text, parenthesis + 2)
    position = _arguments(scan, parenthesis + 1, call) if call.op >= 0 else -1
    if position < 0 or call.op == Op.FREE:
        return skip_line_end(text, position)
    if text[position] != _EQUALS:
        return -1
    call.address = _address(scan, position + 1)
    return skip_line_end(text, state.position)


@kernel
def _operation(text: np.ndarray, state: ScanState, position: int, call: CallRecord) -> int:
    """Set call.op to the Op of the function named at `position`, or to -1 if the name is unknown.

    Returns the position of the parenthesis after the name, or -1 if no parenthesis follows.
    """
    name = load_word(state.text + position)
    call.op = -1
    call.alignment = 0
    if word_at(state, position, 7) == _MALLOC:
        call.op = Op.MALLOC
    elif word_at(state, position, 5) == _FREE:
        call.op = Op.FREE
    elif name == _REALLOC:
        call.op = Op.REALLOC
    elif word_at(state, position, 7) == _CALLOC:
        call.op = Op.CALLOC
    elif word_at(state, position, 7) == _VALLOC:
        call.op = Op.MEMALIGN
        call.alignment = PAGE
    elif name in (_MEMALIGN, _POSIX, _ALIGNED):
        call.op = Op.MEMALIGN
    while text[position] > SPACE and text[position] != _OPEN:
        position += 1
    return position if text[position] == _OPEN else -1


@kernel
def _arguments(scan: LogallocScan, position: int, call: CallRecord) -> int:
    """Read the arguments into `call`; return the position after the closing parenthesis, or -1."""
    text, state = scan.text, scan.state[0]
    call.old = 0
    call.request = 0
    if call.op == Op.FREE:
        call.address = _address(scan, position)
    elif call.op == Op.REALLOC:
        call.old = _address(scan, position)
        call.request = next_decimal(text, state, COMMA)
    elif call.op == Op.CALLOC:
        count = decimal(text, position, state)
        call.request = product(count, next_decimal(text, state, COMMA))
    elif call.op == Op.MEMALIGN and not call.alignment:
        call.alignment = decimal(text, position, state)
        call.request = next_decimal(text, state, COMMA)
    else:
        call.request = decimal(text, position, state)
    position = state.position
    return position + 1 if position >= 0 and text[position] == _CLOSE else -1


@kernel
def _address(scan: LogallocScan, position: int) -> int:
    """Read an address, or # and the number of a slot."""
    if scan.text[position] == _SLOT:
        scan.log[0].is_munged = 1
        return decimal(scan.text, position + 1, scan.state[0])
    return pointer(scan.text, position, scan.state[0])


class LogallocReader(LineReader):
    """The calls of a log."""

    @property
    def unknown_is_null(self) -> bool:
        """Whether an address without a live object stands for NULL: true for a munged log."""
        return bool(self._scan.log[0].is_munged)


FORMAT = Format(
    name="logalloc",
    summary="Firefox's logalloc, plain or munged, as in: 18545 18562 malloc(32)=0x7f90495120e0",
    looks_like=looks_like,
    open=partial(
        LogallocReader,
        form=LineFormat(
            scanner=lambda text, state: LogallocScan(text, state, records(Log)),
            grammar="PID [TID] FUNCTION(ARGUMENTS)=0xPTR or #SLOT",
        ),
    ),
)
