"""Allocations recorded on Android, in the text format of AOSP's memory_replay.

One call per line:

    TID: malloc 0xPTR SIZE          TID: realloc 0xPTR 0xOLD SIZE      TID: free 0xPTR
    TID: calloc 0xPTR N SIZE        TID: memalign 0xPTR ALIGN SIZE     TID: thread_done 0x0

In newer files a line may end with two times in nanoseconds, START END; a thread_done has only END.
The reader rejects every other form of a line, so other text is not mistaken for this format.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.core.raw import load_word
from allocsim.core.records import Table
from allocsim.events import Op
from allocsim.traces.calls import HUGE, CallRecord
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import (
    SPACE,
    decimal,
    next_decimal,
    next_prefixed,
    prefixed,
    product,
    skip_line_end,
    word,
)
from allocsim.traces.scan.line_reader import LineFormat, LineReader, read_line
from allocsim.traces.scan.state import ScanState

# Names are compared as words of eight bytes. A shorter name is padded with the characters that must
# follow it.
_MALLOC, _CALLOC, _REALLOC = word(b"malloc 0"), word(b"calloc 0"), word(b"realloc ")
_MEMALIGN, _FREE, _THREAD = word(b"memalign"), word(b"free 0x"), word(b"thread_d")
_THREAD_REST = word(b"ad_done ")
_FREE_MASK = word(b"\xff" * 7)
_COLON = ord(":")


class AospScan(NamedTuple):
    """Scanner (see `scan.line_reader`) of this format."""

    text: np.ndarray  # uint8
    state: Table[ScanState]  # one row


def looks_like(head: bytes) -> bool:
    """Return whether the first line begins with a thread id, a colon and a known call."""
    thread, colon, rest = head.lstrip()[:200].partition(b": ")
    known = (b"malloc ", b"calloc ", b"realloc ", b"memalign ", b"free ", b"thread_done ")
    return bool(colon) and thread.isdigit() and rest.startswith(known)


@answers(read_line, AospScan)
@kernel
def _line(scan: AospScan, position: int, call: CallRecord) -> int:
    """Read one line into `call`; return the position after its newline, or -1 (see read_line)."""
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
    if call.op == Op.THREAD_DONE:
        return _end_of_thread_done(text, state)
    if call.op == Op.FREE:
        return _end_of_line(text, state)
    if call.op == Op.REALLOC:
        call.old = next_prefixed(text, state)
    elif call.op == Op.MEMALIGN:
        call.alignment = next_decimal(text, state, SPACE)
    count = next_decimal(text, state, SPACE) if call.op == Op.CALLOC else 1
    call.request = product(count, next_decimal(text, state, SPACE))
    return _end_of_line(text, state)


@kernel
def _operation(position: int, call: CallRecord, state: ScanState) -> int:
    """Read a function's name into call.op; return the position after the space that follows it.

    Returns -1 if the name is unknown.
    """
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
    rest = load_word(state.text + position + 4)
    if name == _MEMALIGN and (rest >> 32) & 0xFF == SPACE:
        call.op = Op.MEMALIGN
        return position + 9
    if name == _THREAD and rest == _THREAD_REST:
        call.op = Op.THREAD_DONE
        return position + 12
    return -1


@kernel
def _end_of_thread_done(text: np.ndarray, state: ScanState) -> int:
    """Read up to two timestamps, then the newline; return the position after it, or -1."""
    for _ in range(2):
        if state.position >= 0 and text[state.position] == SPACE:
            next_decimal(text, state, SPACE)
    return skip_line_end(text, state.position)


@kernel
def _end_of_line(text: np.ndarray, state: ScanState) -> int:
    """Read two timestamps or none, then the newline; return the position after it, or -1."""
    if state.position >= 0 and text[state.position] == SPACE:
        next_decimal(text, state, SPACE)
        next_decimal(text, state, SPACE)
    return skip_line_end(text, state.position)


FORMAT = Format(
    name="aosp",
    summary="Android memory_replay text, as in: 202: malloc 0xb4827400 1024",
    looks_like=looks_like,
    open=partial(
        LineReader,
        form=LineFormat(
            scanner=AospScan,
            grammar="TID: malloc|calloc|realloc|memalign|free|thread_done 0xPTR [ARGUMENTS] "
            "[START END]",
        ),
    ),
)
