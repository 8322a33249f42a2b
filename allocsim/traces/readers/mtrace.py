"""The text that glibc's mtrace writes (MALLOC_TRACE, with libc_malloc_debug.so.0 preloaded).

A reader: bytes to calls, by a compiled scanner. A line is [@ CALLER] and then one of

    + PTR SIZE     - PTR     ! PTR SIZE (a realloc that failed)     < OLD, next line: > NEW SIZE

beside = Start and = End. It has no threads, no alignment, and calloc as malloc of the product. Its
one rule: a line is read from its end, since the caller, a file's name, may hold anything.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.events import Op
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import NEWLINE, RETURN, SPACE, hexadecimal_size, next_line, pointer
from allocsim.traces.scan.line_reader import Lines, TextReader, read_line

_AT, _EQUALS = ord("@"), ord("=")
_ALLOCATED, _FREED, _FAILED, _MOVED, _OLD = (ord(sign) for sign in "+-!><")


class MtraceScan(NamedTuple):
    """The scanner of this format; state.held is the address of a < line."""

    text: np.ndarray  # uint8
    state: np.recarray  # one SCAN


def looks_like(head: bytes) -> bool:
    """Whether content begins as mtrace's does: with = Start, or a call with its caller."""
    first = head.lstrip()[:500].partition(b"\n")[0].split()
    if first[:2] == [b"=", b"Start"]:
        return True
    return len(first) > 3 and first[0] == b"@" and bool({b"+", b"-", b"<"} & {*first[-3:]})


@answers(read_line, MtraceScan)
@kernel
def _line(scan: MtraceScan, position: int, call: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is broken."""
    text, state = scan.text, scan.state[0]
    behind = next_line(text, state, position)
    end = behind - 2 if text[behind - 2] == RETURN else behind - 1
    if text[position] == _EQUALS and text[position + 1] == SPACE:
        state.made = 0
        return behind
    last = _token(text, position, end)
    before = _token(text, position, last - 1)
    call.process = 0
    call.thread = 0
    call.alignment = 0
    call.old = 0
    call.request = 0
    sign = text[before] if before == last - 2 else 0
    if sign in (_FREED, _OLD):
        call.op = Op.FREE
        call.address = pointer(text, last, state)
        state.made = sign == _FREED
    else:
        sign = _sized(scan, position, last, before, call)
    state.held = call.address if sign == _OLD else 0
    return behind if sign and state.position == end else -1


@kernel
def _sized(scan: MtraceScan, start: int, last: int, before: int, call: np.record) -> int:
    """Read SIGN PTR SIZE, whose last two begin at `before` and `last`; the sign, or 0."""
    text, state = scan.text, scan.state[0]
    place = before - 2
    if place < start or text[place + 1] != SPACE or (place > start and text[place - 1] != SPACE):
        return 0
    sign = int(text[place])
    if sign != _ALLOCATED and sign != _MOVED and sign != _FAILED:
        return 0
    call.op = Op.MALLOC if sign == _ALLOCATED else Op.REALLOC
    call.address = pointer(text, before, state)
    if state.position != last - 1:
        return 0
    call.request = hexadecimal_size(text, last, state)
    if sign == _MOVED:
        call.old = state.held
    elif sign == _FAILED:
        call.old, call.address = call.address, 0
    return sign


@kernel
def _token(text: np.ndarray, start: int, end: int) -> int:
    """Where the word begins that ends at `end`; not before `start`."""
    while end > start and text[end - 1] != SPACE and text[end - 1] != NEWLINE:
        end -= 1
    return end


FORMAT = Format(
    name="mtrace",
    summary="glibc's mtrace, as in: @ ./prog:[0x1139] + 0x55d0a52a02a0 0x64",
    looks_like=looks_like,
    open=partial(
        TextReader,
        lines=Lines(
            scan=MtraceScan,
            grammar="[@ CALLER] and + PTR SIZE, - PTR, < OLD, > NEW SIZE or ! PTR SIZE, all 0x",
        ),
    ),
)
