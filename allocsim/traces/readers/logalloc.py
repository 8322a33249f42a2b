"""Firefox's allocation logs (MALLOC_LOG), as they are written and as logalloc_munge.py leaves them.

A reader: bytes to calls, by a compiled scanner. A line is PID [TID] and then one of

    malloc(N)=0xP     calloc(N,M)=0xP     realloc(0xP,N)=0xQ     free(0xP)     valloc(N)=0xP
    memalign(A,N)=0xP     posix_memalign(A,N)=0xP     aligned_alloc(A,N)=0xP     jemalloc_stats()

A munged log has small ids and #SLOT for addresses. One slot is NULL's: a free of it counts as one
of an unknown object. Its one rule: a call without arguments does nothing to the heap.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from re import compile as pattern
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.core.raw import load_word
from allocsim.events import Op
from allocsim.traces.calls import HUGE, PAGE
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import (
    SPACE,
    behind_newline,
    decimal,
    next_decimal,
    pointer,
    product,
    word,
    word_at,
)
from allocsim.traces.scan.line_reader import Lines, TextReader, read_line

_MALLOC, _FREE, _CALLOC = word(b"malloc("), word(b"free("), word(b"calloc(")
_REALLOC, _VALLOC = word(b"realloc("), word(b"valloc(")
_MEMALIGN, _POSIX, _ALIGNED = word(b"memalign"), word(b"posix_me"), word(b"aligned_")
_SLOT, _OPEN, _CLOSE, _COMMA, _EQUALS = (ord(character) for character in "#(),=")
_NINE = ord("9")

MUNGED = 1
"""What the scan holds once it has read a slot."""

_BEGINNING = pattern(
    rb"\d+ (\d+ )?(malloc\(\d|calloc\(\d|realloc\([0#(]|free\([0#(]|valloc\(\d|memalign\(\d"
    rb"|posix_memalign\(\d|aligned_alloc\(\d|jemalloc_\w+\(\))"
)


class LogallocScan(NamedTuple):
    """The scanner of this format."""

    text: np.ndarray  # uint8
    state: np.recarray  # one SCAN


def looks_like(head: bytes) -> bool:
    """Whether the first line is PID [TID] and a call."""
    return _BEGINNING.match(head.lstrip()) is not None


@answers(read_line, LogallocScan)
@kernel
def _line(scan: LogallocScan, position: int, call: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is broken."""
    text, state = scan.text, scan.state[0]
    call.process = decimal(text, position, state)
    call.thread = 0
    if state.position >= 0 and text[state.position + 1] <= _NINE:
        call.thread = next_decimal(text, state)
    position = state.position
    if position < 0 or text[position] != SPACE or max(call.process, call.thread) == HUGE:
        return -1
    place = _operation(text, state, position + 1, call)
    if place < 0:
        return -1
    if text[place + 1] == _CLOSE:
        state.made = 0
        return behind_newline(text, place + 2)
    position = _arguments(scan, place + 1, call) if call.op >= 0 else -1
    if position < 0 or call.op == Op.FREE:
        return behind_newline(text, position)
    if text[position] != _EQUALS:
        return -1
    call.address = _address(text, position + 1, state)
    return behind_newline(text, state.position)


@kernel
def _operation(text: np.ndarray, state: np.record, position: int, call: np.record) -> int:
    """Read a function's name into call.op, -1 if it is unknown; where its parenthesis is, or -1."""
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
def _arguments(scan: LogallocScan, position: int, call: np.record) -> int:
    """Read ARGUMENTS) into `call`; the position behind, or -1."""
    text, state = scan.text, scan.state[0]
    call.old = 0
    call.request = 0
    if call.op == Op.FREE:
        call.address = _address(text, position, state)
    elif call.op == Op.REALLOC:
        call.old = _address(text, position, state)
        call.request = _second(text, state)
    elif call.op == Op.CALLOC:
        count = decimal(text, position, state)
        call.request = product(count, _second(text, state))
    elif call.op == Op.MEMALIGN and not call.alignment:
        call.alignment = decimal(text, position, state)
        call.request = _second(text, state)
    else:
        call.request = decimal(text, position, state)
    position = state.position
    return position + 1 if position >= 0 and text[position] == _CLOSE else -1


@kernel
def _second(text: np.ndarray, state: np.record) -> int:
    """Read a comma and a decimal number."""
    position = state.position
    if position < 0 or text[position] != _COMMA:
        state.position = -1
        return 0
    return decimal(text, position + 1, state)


@kernel
def _address(text: np.ndarray, position: int, state: np.record) -> int:
    """Read an address, or the # and number of a slot."""
    if text[position] == _SLOT:
        state.held = MUNGED
        return decimal(text, position + 1, state)
    return pointer(text, position, state)


class LogallocReader(TextReader):
    """The calls of a log, with a note on what looks lost if the log is munged."""

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL."""
        yield from super().batches()
        if self._state[0].held == MUNGED:
            self.notes.append(
                "a munged log gives NULL a slot of its own: the objects counted as unknown are NULL"
            )


FORMAT = Format(
    name="logalloc",
    summary="Firefox's logalloc, plain or munged, as in: 18545 18562 malloc(32)=0x7f90495120e0",
    looks_like=looks_like,
    open=partial(
        LogallocReader,
        lines=Lines(scan=LogallocScan, grammar="PID [TID] FUNCTION(ARGUMENTS)=0xPTR or #SLOT"),
    ),
)
