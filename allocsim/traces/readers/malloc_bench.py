"""Traces of malloc-bench, which are protobuf messages. They are parsed here without protobuf.

A trace is one message. Its field 1, called a line, occurs once for each call. Its optional field 2
is the peak number of live blocks. A line is a message with a single field. The number of this field
identifies the function. The content of the field is again a message, whose fields are the arguments
(unsigned varints):

    line  function  arguments                  line  function  arguments
    1     malloc    1 id, 2 size, 3 alignment  3     realloc   1 new id, 2 old id, 3 size
    2     free      1 id, 2 and 3 hints        4     calloc    1 id, 2 count, 3 size

A free without an id frees NULL, and a realloc without an old id is a malloc. Ids are reused. Each
id gets an invented address, because events are made from addresses (see `object_ids`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.events import Op
from allocsim.traces.calls import HUGE, SLOT_SIZE, CallRecord
from allocsim.traces.formats import Format
from allocsim.traces.scan.block_reader import BlockReader, Scanned
from allocsim.traces.scan.lex import product

MAX_LINE = 2 + 3 * 11
"""Maximum bytes of a line: a key and a length, then a key and a varint for each of three fields."""

MAX_VARINT = 10
"""Maximum bytes of a varint: 64 bits in groups of seven."""

MAX_ID = 1 << 55
"""Every id must be smaller than this, so that SLOT_SIZE times an id is a valid address."""


class MessageScan(Struct):
    """State of a scan."""

    calls: Int64  # calls written to the current output
    position: Int64  # end of the last varint read; -1 if there was no varint
    is_broken: Int64  # 1 if the bytes where the scan stopped are not a valid field
    given: Int64  # bit mask of the field numbers that the call has


_LINE, _PEAK = 1 << 3 | 2, 2 << 3
"""Keys of the fields of a trace. A key combines the field number and the wire type."""

_MALLOC, _FREE, _REALLOC, _CALLOC = 1, 2, 3, 4
_MAX_FIELD = 3
"""Highest field number of a call."""


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with a line whose length fits the one call in it."""
    line, call = head[1:2], head[3:4]
    if head[:1] != b"\x0a" or not line or not call or not 2 <= line[0] < 0x80:
        return False
    return head[2] in (0x0A, 0x12, 0x1A, 0x22) and call[0] == line[0] - 2


@kernel
def _scan(
    content: np.ndarray, start: int, end: int, calls: Table[CallRecord], scan: Table[MessageScan]
) -> int:
    """Turn the complete fields of content[start:end] into calls.

    Returns the position of the first field that was not read.
    """
    state = scan[0]
    state.calls = 0
    state.is_broken = 0
    position = start
    while position < end and state.calls < len(calls):
        state.position = position + 1
        length = _varint(content, end, state)
        if content[position] not in (_LINE, _PEAK):
            state.is_broken = 1
            break
        if state.position < 0:  # cut off by the end of the block
            state.is_broken = position + 1 + MAX_VARINT < end
            break
        if content[position] == _LINE:
            if length > min(end - state.position, MAX_LINE):
                state.is_broken = length > MAX_LINE
                break
            line_end = state.position + length
            if not _line(content, line_end, calls[state.calls], state):
                state.is_broken = 1
                break
            state.position = line_end
            state.calls += 1
        position = state.position
    return position


@kernel
def _line(content: np.ndarray, end: int, call: CallRecord, state: MessageScan) -> bool:
    """Read the call in a line that ends at `end`; return whether the line is one valid call."""
    position = state.position
    if position + 2 > end or content[position] & 7 != 2 or not 1 <= content[position] >> 3 <= 4:
        return False
    function = int(content[position] >> 3)
    state.position = position + 1
    length = _varint(content, end, state)
    if state.position < 0 or length != end - state.position:
        return False
    call.address = 0
    call.old = 0
    call.request = 0
    call.alignment = 0
    first, second, third = _fields(content, end, state)
    if state.position < 0 or first >= MAX_ID or (function == _REALLOC and second >= MAX_ID):
        return False
    call.address = SLOT_SIZE * (first + 1) if state.given & 2 else 0
    _fill(call, function, second, third, state.given)
    return True


@kernel
def _fields(content: np.ndarray, end: int, state: MessageScan) -> tuple[int, int, int]:
    """Read the varints of fields 1 to 3 and set state.given; state.position is -1 on failure."""
    first, second, third = 0, 0, 0
    state.given = 0
    while 0 <= state.position < end:
        key = int(content[state.position])
        state.position += 1
        value = _varint(content, end, state)
        if key & 7 != 0 or not 1 <= key >> 3 <= _MAX_FIELD:
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
def _fill(call: CallRecord, function: int, second: int, third: int, present: int) -> None:
    """Fill `call` from the fields after the id, according to the function."""
    if function == _FREE:
        call.op = Op.FREE
    elif function == _CALLOC:
        call.op = Op.CALLOC
        call.request = product(second, third)
    elif function == _REALLOC:
        call.op = Op.REALLOC
        call.old = SLOT_SIZE * (second + 1) if present & 4 else 0
        call.request = third
    else:
        call.op = Op.MEMALIGN if third else Op.MALLOC
        call.request = second
        call.alignment = third


@kernel
def _varint(content: np.ndarray, end: int, state: MessageScan) -> int:
    """Read a varint at state.position, and set state.position to its end, or to -1 on failure.

    Returns the value, or HUGE if the value is larger. Fails if state.position is already -1.
    """
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
        elif group & 0x7F:  # bit 63 is set: the value does not fit into an int64
            value = HUGE
        shift += 7
    state.position = position
    return value


class MallocBenchReader(BlockReader):
    """The calls of a trace of malloc-bench."""

    grammar = "a line of malloc-bench: 0a, its length, and one malloc, free, realloc or calloc"

    def scan(self, start: int, end: int, calls: Any) -> Scanned:
        """Turn the complete lines into calls."""
        scan = records(MessageScan)
        position = _scan(self._content, start, end, calls, scan)
        return Scanned(position, int(scan[0].calls), bool(scan[0].is_broken))


FORMAT = Format(
    name="malloc-bench",
    summary="traces of malloc-bench, which are protobuf messages",
    looks_like=looks_like,
    open=MallocBenchReader,
)
