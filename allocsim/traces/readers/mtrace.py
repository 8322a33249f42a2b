"""The text of glibc's mtrace (MALLOC_TRACE, with libc_malloc_debug.so.0 preloaded).

A line is `= Start`, `= End`, or `[@ CALLER]` followed by one of

    + PTR SIZE     - PTR     < OLD     > NEW SIZE     ! PTR SIZE (a realloc that failed)

A realloc of a block takes two lines, first < and then >, unless it fails. The format records
neither threads nor alignments, and a calloc appears as a malloc of count * size bytes. CALLER
contains a file name with arbitrary characters, so a line is parsed from its end. CALLER has one of
the forms

    OBJECT:(SYMBOL+OFFSET)[ADDRESS]      OBJECT:[ADDRESS]      [ADDRESS]

ADDRESS is the return address, relative to the load address of OBJECT if OBJECT is known. A call
site has only the frame of ADDRESS, which in C++ is often operator new.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from allocsim.call_sites.caller import Caller, caller_frames
from allocsim.call_sites.frame import Frame
from allocsim.core.jit import answers, kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.events import Op
from allocsim.traces.calls import CallRecord
from allocsim.traces.formats import Format
from allocsim.traces.scan.caller_reader import CallerReader
from allocsim.traces.scan.lex import NEWLINE, RETURN, SPACE, hexadecimal_size, next_line, pointer
from allocsim.traces.scan.line_reader import LineFormat, read_line
from allocsim.traces.scan.state import ScanState
from allocsim.traces.scan.text_numbers import TextNumbers, new_text_numbers, number_of
from allocsim.traces.source import Source

_AT, _EQUALS = ord("@"), ord("=")
_ALLOCATED, _FREED, _FAILED, _MOVED, _OLD = (ord(sign) for sign in "+-!><")


class Realloc(Struct):
    """The first line of a realloc."""

    old: Int64  # the address in the previous line, if that line was < OLD; else 0


class MtraceScan(NamedTuple):
    """Scanner (see `scan.line_reader`) of this format."""

    text: np.ndarray  # uint8
    state: Table[ScanState]  # one row
    realloc: Table[Realloc]  # one row
    callers: TextNumbers  # has room only if call sites are requested


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with `= Start` or with a call that names its caller."""
    first = head.lstrip()[:500].partition(b"\n")[0].split()
    if first[:2] == [b"=", b"Start"]:
        return True
    return len(first) > 3 and first[0] == b"@" and bool({b"+", b"-", b"<"} & {*first[-3:]})


@answers(read_line, MtraceScan)
@kernel
def _line(scan: MtraceScan, position: int, call: CallRecord) -> int:
    """Read one line into `call`; return the position after its newline, or -1 (see read_line)."""
    text, state = scan.text, scan.state[0]
    after = next_line(text, state, position)
    end = after - 2 if text[after - 2] == RETURN else after - 1
    if text[position] == _EQUALS and text[position + 1] == SPACE:
        state.made = 0
        return after
    last = _word_start(text, position, end)
    previous = _word_start(text, position, last - 1)
    call.process = 0
    call.thread = 0
    call.alignment = 0
    call.old = 0
    call.request = 0
    sign = text[previous] if previous == last - 2 else 0
    if sign in (_FREED, _OLD):
        call.op = Op.FREE
        call.address = pointer(text, last, state)
        state.made = sign == _FREED  # < OLD makes no call; the next line completes the realloc
    else:
        sign = _sized(scan, position, last, previous, call)
    scan.realloc[0].old = call.address if sign == _OLD else 0
    return after if sign and state.position == end else -1


@kernel
def _sized(scan: MtraceScan, start: int, last: int, previous: int, call: CallRecord) -> int:
    """Read SIGN PTR SIZE into `call`; return SIGN, or 0 if the line does not have this form.

    PTR is at `previous` and SIZE at `last`.
    """
    text, state = scan.text, scan.state[0]
    before = previous - 2
    if (
        before < start
        or text[before + 1] != SPACE
        or (before > start and text[before - 1] != SPACE)
    ):
        return 0
    sign = int(text[before])
    if sign != _ALLOCATED and sign != _MOVED and sign != _FAILED:
        return 0
    call.op = Op.MALLOC if sign == _ALLOCATED else Op.REALLOC
    call.address = pointer(text, previous, state)
    if state.position != last - 1:
        return 0
    call.request = hexadecimal_size(text, last, state)
    if len(scan.callers.buffer) and text[start] == _AT and before > start + 3:
        after_size = state.position
        call.site = number_of(scan.callers, text, state, start + 2, before - 1)
        state.position = after_size
    else:
        call.site = 0
    if sign == _MOVED:
        call.old = scan.realloc[0].old
    elif sign == _FAILED:
        call.old, call.address = call.address, 0
    return sign


@kernel
def _word_start(text: np.ndarray, start: int, end: int) -> int:
    """Return the start of the word that ends at `end`, or `start` if the word begins earlier."""
    while end > start and text[end - 1] != SPACE and text[end - 1] != NEWLINE:
        end -= 1
    return end


LINES = LineFormat(
    scanner=lambda text, state: MtraceScan(text, state, records(Realloc), new_text_numbers()),
    grammar="[@ CALLER] followed by + PTR SIZE, - PTR, < OLD, > NEW SIZE or ! PTR SIZE, with 0x "
    "before every number",
)

_CALLER = re.compile(
    rb"(?:(.*):)?(?:\((.*)[+-](?:0x)?[0-9a-f]+\))?\[(?:0x)?([0-9a-f]{1,16})\]", re.S
)
"""A caller: object, symbol and address."""


class MtraceReader(CallerReader):
    """Reader of the calls in an mtrace text."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, LINES)

    def frames_of(self, callers: list[bytes]) -> list[Frame]:
        """Return function and line of each caller, or else the symbol in the text."""
        frames, notes = caller_frames([*map(_caller, callers)], self.source.name)
        self.notes += notes
        return frames


def _caller(text: bytes) -> Caller:
    """Return the caller that a text names."""
    match = _CALLER.fullmatch(text)
    return (
        Caller(text, int(match[3], 16), match[1] or b"", match[2] or b"") if match else Caller(text)
    )


FORMAT = Format(
    name="mtrace",
    summary="glibc's mtrace, as in: @ ./prog:[0x1139] + 0x55d0a52a02a0 0x64",
    looks_like=looks_like,
    open=MtraceReader,
)
