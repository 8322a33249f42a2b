"""The traces of malloc-bench: a protobuf message, read without protobuf.

A reader: bytes to calls, by a compiled scanner. The message is a row of lines, each field 1 with
its length, and perhaps the most blocks that live at once, field 2. A line holds one call, a message
by its number; the fields of calls are unsigned varints:

    1 malloc  1 id, 2 size, 3 alignment       3 realloc  1 new id, 2 old id, 3 size
    2 free    1 id, 2 and 3 hints             4 calloc   1 id, 2 count, 3 size

A free without an id is one of NULL, a realloc without an old id a malloc; ids are used again. Its
one rule: an id is an address of its own, STEP apart. Memory is bounded by the live blocks and two
blocks of the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.events import Op
from allocsim.traces.calls import HUGE
from allocsim.traces.formats import Format
from allocsim.traces.scan.block_reader import RecordReader
from allocsim.traces.scan.lex import product

STEP = 16
"""The invented address of an id is this times id + 1."""

LONGEST = 2 + 3 * 11
"""Bytes of the longest line: a key and a length, and for each field a key and a varint."""

MOST_ID = 1 << 55
"""An id of more, times STEP, is no address."""

SCAN = np.dtype(
    [
        ("calls", np.int64),  # calls written to the current output
        ("position", np.int64),  # where the varint that was read last ends; -1: there was none
        ("broken", np.int64),  # 1 if what lies where the scan stopped is no field
        ("given", np.int64),  # bits by number: the fields that the call has
    ]
)

_LINE, _MOST = 1 << 3 | 2, 2 << 3
"""The keys of the fields of a trace: number and wire type."""

_MALLOC, _FREE, _REALLOC, _CALLOC = 1, 2, 3, 4
_FIELDS = 3
"""The most fields of a call."""


def looks_like(head: bytes) -> bool:
    """Whether a file begins with a line that holds one call, as long as its lengths say."""
    line, call = head[1:2], head[3:4]
    if head[:1] != b"\x0a" or not line or not call or not 2 <= line[0] < 0x80:
        return False
    return head[2] in (0x0A, 0x12, 0x1A, 0x22) and call[0] == line[0] - 2


@kernel
def _scan(content: np.ndarray, start: int, end: int, calls: np.recarray, scan: Any) -> int:
    """Turn the whole fields of content[start:end] into calls; where the first lies not done."""
    state = scan[0]
    state.calls = 0
    state.broken = 0
    position = start
    while position < end and state.calls < len(calls):
        state.position = position + 1
        length = _varint(content, end, state)
        if content[position] not in (_LINE, _MOST):
            state.broken = 1
            break
        if state.position < 0:  # cut off by the end of the block
            state.broken = position + 11 < end
            break
        if content[position] == _LINE:
            if length > min(end - state.position, LONGEST):
                state.broken = length > LONGEST
                break
            line_end = state.position + length
            if not _line(content, line_end, calls[state.calls], state):
                state.broken = 1
                break
            state.position = line_end
            state.calls += 1
        position = state.position
    return position


@kernel
def _line(content: np.ndarray, end: int, call: np.record, state: Any) -> bool:
    """Read the call that fills a line up to `end`; whether there is one."""
    position = state.position
    if position + 2 > end or content[position] & 7 != 2 or not 1 <= content[position] >> 3 <= 4:
        return False
    kind = int(content[position] >> 3)
    state.position = position + 1
    length = _varint(content, end, state)
    if state.position < 0 or length != end - state.position:
        return False
    call.address = 0
    call.old = 0
    call.request = 0
    call.alignment = 0
    first, second, third = _fields(content, end, state)
    if state.position < 0 or first >= MOST_ID or (kind == _REALLOC and second >= MOST_ID):
        return False
    call.address = STEP * (first + 1) if state.given & 2 else 0
    _fill(call, kind, second, third, state.given)
    return True


@kernel
def _fields(content: np.ndarray, end: int, state: Any) -> tuple[int, int, int]:
    """The varints of fields 1 to 3; state.given says which there are, state.position -1: broken."""
    first, second, third = 0, 0, 0
    state.given = 0
    while 0 <= state.position < end:
        key = int(content[state.position])
        state.position += 1
        value = _varint(content, end, state)
        if key & 7 != 0 or not 1 <= key >> 3 <= _FIELDS:
            state.position = -1
        state.given |= 1 << (key >> 3)
        if key >> 3 == 1:
            first = value
        elif key >> 3 == 2:
            second = value
        else:
            third = value
    return first, second, third


@kernel
def _fill(call: np.record, kind: int, second: int, third: int, given: int) -> None:
    """Put into `call` what its kind makes of the fields behind the id."""
    if kind == _FREE:
        call.op = Op.FREE
    elif kind == _CALLOC:
        call.op = Op.CALLOC
        call.request = product(second, third)
    elif kind == _REALLOC:
        call.op = Op.REALLOC
        call.old = STEP * (second + 1) if given & 4 else 0
        call.request = third
    else:
        call.op = Op.MEMALIGN if third else Op.MALLOC
        call.request = second
        call.alignment = third


@kernel
def _varint(content: np.ndarray, end: int, state: Any) -> int:
    """Read a varint at state.position, unless that is -1: HUGE if it is larger than that."""
    value, shift, position = 0, 0, state.position
    group = 0x80
    while group & 0x80:
        if not 0 <= position < end or shift > 63:
            state.position = -1
            return 0
        group = int(content[position])
        position += 1
        if shift < 63:
            value |= (group & 0x7F) << shift
            value = value if value <= HUGE else HUGE
        elif group & 0x7F:
            value = HUGE
        shift += 7
    state.position = position
    return value


class MallocBenchReader(RecordReader):
    """The calls of a trace of malloc-bench."""

    grammar = "a line of malloc-bench: 0a, its length, and one malloc, free, realloc or calloc"

    def scan(self, start: int, end: int, calls: Any) -> tuple[int, int, bool]:
        """The calls of the whole lines."""
        state = np.zeros(1, SCAN).view(np.recarray)
        position = _scan(self._content, start, end, calls, state)
        return position, int(state[0].calls), bool(state[0].broken)


FORMAT = Format(
    name="malloc-bench",
    summary="traces of malloc-bench, which are protobuf messages",
    looks_like=looks_like,
    open=MallocBenchReader,
)
