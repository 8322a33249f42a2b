"""The text format of Android's recorded allocations (memory_replay of the AOSP).

A reader: bytes to calls, by a compiled scanner. One line is one call:

    TID: malloc 0xPTR SIZE          TID: realloc 0xPTR 0xOLD SIZE      TID: free 0xPTR
    TID: calloc 0xPTR N SIZE        TID: memalign 0xPTR ALIGN SIZE     TID: thread_done 0x0

then, in newer files, START END in nanoseconds: both or neither. Its one rule: as strict as the
format is plain, so nothing else is ever taken for it.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.core.raw import load_word
from allocsim.events import Op
from allocsim.traces.calls import HUGE
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import (
    SPACE,
    behind_newline,
    decimal,
    next_decimal,
    next_prefixed,
    prefixed,
    product,
    word,
)
from allocsim.traces.scan.line_reader import Lines, TextReader, read_line

_MALLOC, _CALLOC, _REALLOC = word(b"malloc 0"), word(b"calloc 0"), word(b"realloc ")
_MEMALIGN, _FREE, _THREAD = word(b"memalign"), word(b"free 0x"), word(b"thread_d")
_THREAD_REST = word(b"ad_done ")
_FREE_MASK = word(b"\xff" * 7)
_COLON = ord(":")


class AospScan(NamedTuple):
    """The scanner of this format."""

    text: np.ndarray  # uint8
    state: np.recarray  # one SCAN


def looks_like(head: bytes) -> bool:
    """Whether a file that begins with `head` is in this format: TID, a colon, a known call."""
    thread, colon, rest = head.lstrip()[:200].partition(b": ")
    known = (b"malloc ", b"calloc ", b"realloc ", b"memalign ", b"free ", b"thread_done ")
    return bool(colon) and thread.isdigit() and rest.startswith(known)


@answers(read_line, AospScan)
@kernel
def _line(scan: AospScan, position: int, call: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is broken."""
    text, state = scan.text, scan.state[0]
    call.process = 0
    call.thread = decimal(text, position, state)
    position = state.position
    if position < 0 or call.thread == HUGE or text[position] != _COLON:
        return -1
    if text[position + 1] != SPACE:
        return -1
    position = _operation(position + 2, call, state)
    if position < 0:
        return -1
    call.address = prefixed(text, position, state)
    call.old = 0
    call.request = 0
    call.alignment = 0
    if call.op == Op.THREAD_DONE or call.op == Op.FREE:
        return _end_of_line(text, state)
    if call.op == Op.REALLOC:
        call.old = next_prefixed(text, state)
    elif call.op == Op.MEMALIGN:
        call.alignment = next_decimal(text, state)
    count = next_decimal(text, state) if call.op == Op.CALLOC else 1
    call.request = product(count, next_decimal(text, state))
    return _end_of_line(text, state)


@kernel
def _operation(position: int, call: np.record, state: np.record) -> int:
    """Read the call's name, which ends with a blank, into call.op; the position behind, or -1."""
    name = load_word(state.text + position)
    if name == _MALLOC:
        call.op = Op.MALLOC
        return position + 7
    if name & _FREE_MASK == _FREE:
        call.op = Op.FREE
        return position + 5
    if name == _REALLOC:
        call.op = Op.REALLOC
        return position + 8
    if name == _CALLOC:
        call.op = Op.CALLOC
        return position + 7
    behind = load_word(state.text + position + 4)
    if name == _MEMALIGN and (behind >> 32) & 0xFF == SPACE:
        call.op = Op.MEMALIGN
        return position + 9
    if name == _THREAD and behind == _THREAD_REST:
        call.op = Op.THREAD_DONE
        return position + 12
    return -1


@kernel
def _end_of_line(text: np.ndarray, state: np.record) -> int:
    """Read two times or none, and the newline; the position behind it, or -1."""
    if state.position >= 0 and text[state.position] == SPACE:
        next_decimal(text, state)
        next_decimal(text, state)
    return behind_newline(text, state.position)


FORMAT = Format(
    name="aosp",
    summary="Android memory_replay text, as in: 202: malloc 0xb4827400 1024",
    looks_like=looks_like,
    open=partial(
        TextReader,
        lines=Lines(
            scan=AospScan,
            grammar="TID: malloc|calloc|realloc|memalign|free|thread_done 0xPTR [ARGUMENTS] "
            "[START END]",
        ),
    ),
)
