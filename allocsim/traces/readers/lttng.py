"""The events of LTTng's libc wrapper (liblttng-ust-libc-wrapper.so) as babeltrace2 prints them.

A reader: bytes to calls, by a compiled scanner. A line is

    [TIME] (+DELTA) HOST lttng_ust_libc:NAME: { cpu_id = N }, { vpid = P, vtid = T }, { FIELDS }

where time, delta, host and the contexts may be missing or have other forms: what counts is the
event's name, and behind it every `field = value`. Its one rule: events of other providers, which
share the trace, are left out and counted.
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
    NEWLINE,
    SPACE,
    ZERO,
    decimal,
    has_newline,
    next_line,
    pointer,
    product,
    word,
    word_at,
)
from allocsim.traces.scan.line_reader import Lines, TextReader, read_line

_PROVIDER = b"lttng_ust_libc:"
_PROVIDER_BEGIN, _PROVIDER_END = word(_PROVIDER[:8]), word(_PROVIDER[8:])
_OPERATIONS = (
    (word(b"malloc"), 6, int(Op.MALLOC)),
    (word(b"free"), 4, int(Op.FREE)),
    (word(b"realloc"), 7, int(Op.REALLOC)),
    (word(b"calloc"), 6, int(Op.CALLOC)),
    (word(b"memalig"), 7, int(Op.MEMALIGN)),
    (word(b"posix_m"), 7, int(Op.MEMALIGN)),
)
"""How each event's name begins, in how many bytes, the most frequent first; what it means."""

_VPID, _VTID, _SIZE, _PTR = word(b"vpid = "), word(b"vtid = "), word(b"size = "), word(b"ptr = 0")
_IN_PTR, _OUT_PTR, _NMEMB = word(b"in_ptr "), word(b"out_ptr"), word(b"nmemb =")
_IS, _COMMA, _NEXT_GROUP = word(b" = "), word(b", "), word(b" }, { ")
_ALIGNMENT, _RESULT = word(b"alignme"), word(b"result ")
_LETTER = ord("_")
"""The first of the characters of names; behind it come the small letters."""
_OPEN, _BRACKET, _QUOTE, _EQUALS, _BACKSLASH, _NINE = (ord(character) for character in '{["=\\9')


class LttngScan(NamedTuple):
    """The scanner of this format; state.held says which fields of the line were seen."""

    text: np.ndarray  # uint8
    state: np.recarray  # one SCAN


_HAS_ADDRESS, _HAS_SIZE, _HAS_FAILED = 1, 2, 4
"""What is known of a line: bits of state.held."""


def looks_like(head: bytes) -> bool:
    """Whether the beginning holds an event of the wrapper."""
    return _PROVIDER in head


@answers(read_line, LttngScan)
@kernel
def _line(scan: LttngScan, position: int, call: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is broken."""
    text, state = scan.text, scan.state[0]
    place = _event_name(text, state, position)
    call.op = _operation(state, place) if place else -1
    if call.op < 0:
        if not place and text[position] != _BRACKET:
            return -1
        state.made = 0
        state.foreign += 1
        return next_line(text, state, position)
    call.address = 0
    call.old = 0
    call.request = 0
    call.alignment = 0
    call.thread = 0
    call.process = 0
    state.held = 0
    state.factor = 1
    _fields(scan, place, call)
    call.request = product(state.factor, call.request)
    if state.held & _HAS_FAILED:
        call.address = 0
    needed = _HAS_ADDRESS if call.op == Op.FREE else _HAS_ADDRESS | _HAS_SIZE
    return state.position + 1 if state.position >= 0 and state.held & needed == needed else -1


@kernel
def _event_name(text: np.ndarray, state: np.record, position: int) -> int:
    """Where the event's name begins behind its provider's; 0 if the line has no such event.

    It is first looked for where it stood in the line before. With the larger steps of _usual_fields
    that made 86 ns a line of 148.
    """
    first, likely = position, position + state.column
    while position < likely and not has_newline(load_word(state.text + position)):
        position += 7
    if position >= likely and _is_provider(text, state, likely):
        return likely + len(_PROVIDER)
    position = first
    while text[position] != NEWLINE:
        if _is_provider(text, state, position):
            state.column = position - first
            return position + len(_PROVIDER)
        position += 1
    return 0


@kernel
def _is_provider(text: np.ndarray, state: np.record, position: int) -> bool:
    """Whether the wrapper's provider is named at `position`."""
    return (
        text[position] == _PROVIDER[0]
        and load_word(state.text + position) == _PROVIDER_BEGIN
        and word_at(state, position + 8, 7) == _PROVIDER_END
    )


@kernel
def _operation(state: np.record, position: int) -> int:
    """The operation that an event's name means; -1 if it is none."""
    for name, length, op in _OPERATIONS:
        if word_at(state, position, length) == name:
            return op
    return -1


@kernel
def _fields(scan: LttngScan, position: int, call: np.record) -> None:
    """Read every `name = value`; state.position is at the newline, or -1 if a value is wrong."""
    text, state = scan.text, scan.state[0]
    name = position
    while text[position] != NEWLINE:
        character = text[position]
        position += 1
        if character == _QUOTE:
            position = _behind_string(text, position)
        elif character == _EQUALS and text[position] == SPACE and text[position + 1] != _OPEN:
            state.position = position + 1
            _value(scan, name, position + 1, call)
            if state.position < 0:
                return
            position = state.position
        elif character == SPACE and text[position] != _EQUALS:
            name = _usual_fields(scan, position, call)
            if state.position < 0:
                return
            position = name
    state.position = position


@kernel
def _usual_fields(scan: LttngScan, position: int, call: np.record) -> int:
    """Read the fields from `position` on as babeltrace2 usually has them; where that ends.

    Nothing here that _fields would not do, in larger steps. state.position is -1 if a value is
    wrong.
    """
    text, state = scan.text, scan.state[0]
    state.position = position
    while True:
        name = position
        while text[position] >= _LETTER:
            position += 1
        if position == name or word_at(state, position, 3) != _IS or text[position + 3] == _OPEN:
            return name
        state.position = position + 3
        _value(scan, name, position + 3, call)
        if state.position < 0:
            return name
        position = state.position
        while ZERO <= text[position] <= _NINE:  # the number of a field that is none of ours
            position += 1
        if word_at(state, position, 2) == _COMMA:
            position += 2
        elif word_at(state, position, 6) == _NEXT_GROUP:
            position += 6
        else:
            return position


@kernel
def _value(scan: LttngScan, name: int, position: int, call: np.record) -> None:
    """Read the value at `position` of the field whose name begins at `name`."""
    text, state = scan.text, scan.state[0]
    field = word_at(state, name, 7)
    if field == _SIZE:
        state.held |= _HAS_SIZE
        call.request = decimal(text, position, state)
    elif field in (_PTR, _OUT_PTR):
        state.held |= _HAS_ADDRESS
        call.address = pointer(text, position, state)
    elif field == _IN_PTR:
        call.old = pointer(text, position, state)
    elif field == _VPID:
        call.process = decimal(text, position, state)
    elif field == _VTID:
        call.thread = decimal(text, position, state)
    elif field == _NMEMB:
        state.factor = decimal(text, position, state)
    elif field == _ALIGNMENT:
        call.alignment = decimal(text, position, state)
    elif field == _RESULT and text[position] != ZERO:
        state.held |= _HAS_FAILED
    if call.thread == HUGE or call.process == HUGE:
        state.position = -1


@kernel
def _behind_string(text: np.ndarray, position: int) -> int:
    """The position behind the quote that ends a string, or at the newline."""
    while text[position] != NEWLINE and text[position] != _QUOTE:
        position += 1 + (text[position] == _BACKSLASH and text[position + 1] != NEWLINE)
    return position + (text[position] == _QUOTE)


FORMAT = Format(
    name="lttng",
    summary="LTTng's libc wrapper by babeltrace2, as in: [09:41:07.551437105] host "
    "lttng_ust_libc:malloc: { vpid = 4, vtid = 4 }, { size = 24, ptr = 0x55D02A0 }",
    looks_like=looks_like,
    open=partial(
        TextReader,
        lines=Lines(
            scan=LttngScan,
            grammar="[TIME] HOST lttng_ust_libc:NAME: { vpid = P, vtid = T }, "
            "{ size = N, ptr = 0xPTR }",
        ),
    ),
)
