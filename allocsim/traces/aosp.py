"""The text format of Android's recorded allocations (memory_replay of the AOSP).

A reader: bytes to calls, by a compiled scanner. One line is one call:

    TID: malloc 0xPTR SIZE          TID: realloc 0xPTR 0xOLD SIZE      TID: free 0xPTR
    TID: calloc 0xPTR N SIZE        TID: memalign 0xPTR ALIGN SIZE     TID: thread_done 0x0

then, in newer files, START END in nanoseconds: both or neither. Its one rule: the scanner sees
whole lines only, and behind them at least PADDING bytes, so it never looks for an end.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word
from allocsim.events import Op
from allocsim.traces.calls import ADDRESS_BITS, HUGE, Halt
from allocsim.traces.text import TextFormat


def _word(text: bytes) -> int:
    """Eight bytes as the scanner loads them, the byte order of x86 and of Linux on ARM."""
    return int.from_bytes(text.ljust(8, b"\0"), "little")


_MALLOC, _CALLOC, _REALLOC = _word(b"malloc 0"), _word(b"calloc 0"), _word(b"realloc ")
_MEMALIGN, _FREE, _THREAD = _word(b"memalign"), _word(b"free 0x"), _word(b"thread_d")
_THREAD_REST = _word(b"ad_done ")
_FREE_MASK = _word(b"\xff" * 7)
_SPACE, _NEWLINE, _RETURN, _COLON, _ZERO, _X = (ord(character) for character in " \n\r:0x")


def looks_like(head: bytes) -> bool:
    """Whether a file that begins with `head` is in this format: TID, a colon, a known call."""
    thread, colon, rest = head.lstrip()[:200].partition(b": ")
    known = (b"malloc ", b"calloc ", b"realloc ", b"memalign ", b"free ", b"thread_done ")
    return bool(colon) and thread.isdigit() and rest.startswith(known)


@kernel
def scan(text: np.ndarray, start: int, end: int, calls: np.recarray, state: np.recarray) -> int:
    """Turn the lines of text[start:end] into calls; the position of the first line not done.

    `text` is bytes; end lies behind a newline. state[0].halt says why it stopped.
    """
    scan_state = state[0]
    scan_state.calls = 0
    scan_state.halt = Halt.NONE
    position = start
    while position < end:
        if scan_state.calls == len(calls):
            scan_state.halt = Halt.FULL
            break
        if text[position] == _NEWLINE or text[position] == _RETURN:
            scan_state.lines += text[position] == _NEWLINE
            position += 1
            continue
        behind = _line(text, position, calls[scan_state.calls], scan_state)
        if behind < 0:
            scan_state.halt = Halt.BROKEN
            break
        position = behind
        scan_state.lines += 1
        scan_state.calls += 1
    return position


@kernel
def _line(text: np.ndarray, start: int, call: np.record, state: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is broken."""
    call.thread = _decimal(text, start, state)
    position = state.position
    if position < 0 or text[position] != _COLON or text[position + 1] != _SPACE:
        return -1
    position = _operation(text, position + 2, call, state)
    if position < 0 or text[position] != _ZERO or text[position + 1] != _X:
        return -1
    call.address = _hexadecimal(text, position + 2, state)
    call.old = 0
    call.request = 0
    call.alignment = 0
    if call.op == Op.THREAD_DONE or call.op == Op.FREE:
        return _end_of_line(text, state)
    if call.op == Op.REALLOC:
        call.old = _next_address(text, state)
    elif call.op == Op.MEMALIGN:
        call.alignment = _next_number(text, state)
    count = _next_number(text, state) if call.op == Op.CALLOC else 1
    call.request = _product(count, _next_number(text, state))
    return _end_of_line(text, state)


@kernel
def _operation(text: np.ndarray, position: int, call: np.record, state: np.record) -> int:
    """Read the call's name, which ends with a blank, into call.op; the position behind, or -1."""
    word = load_word(state.text + position)
    if word == _MALLOC:
        call.op = Op.MALLOC
        return position + 7
    if word & _FREE_MASK == _FREE:
        call.op = Op.FREE
        return position + 5
    if word == _REALLOC:
        call.op = Op.REALLOC
        return position + 8
    if word == _CALLOC:
        call.op = Op.CALLOC
        return position + 7
    if word == _MEMALIGN and text[position + 8] == _SPACE:
        call.op = Op.MEMALIGN
        return position + 9
    behind = load_word(state.text + position + 4)
    if word == _THREAD and behind == _THREAD_REST:
        call.op = Op.THREAD_DONE
        return position + 12
    return -1


@kernel
def _decimal(text: np.ndarray, position: int, state: np.record) -> int:
    """Read up to 18 decimal digits; state.position is behind them, or -1 if that is no number."""
    value, first = 0, position
    digit = int(text[position]) - _ZERO
    while 0 <= digit <= 9 and position < first + 19:
        value = 10 * value + digit
        position += 1
        digit = int(text[position]) - _ZERO
    state.position = position if first < position < first + 19 else -1
    return value


@kernel
def _hexadecimal(text: np.ndarray, position: int, state: np.record) -> int:
    """Read up to 16 hexadecimal digits, of which the low ADDRESS_BITS bits count."""
    value, first = 0, position
    while position < first + 17:
        character = int(text[position])
        digit = character - _ZERO
        if not 0 <= digit <= 9:
            digit = (character | 32) - 87  # letters of both cases: a is 10
            if not 10 <= digit <= 15:
                break
        value = (value & ((1 << (ADDRESS_BITS - 4)) - 1)) << 4 | digit
        position += 1
    state.position = position if first < position < first + 17 else -1
    return value


@kernel
def _next_number(text: np.ndarray, state: np.record) -> int:
    """Read a blank and a decimal number; state.position is -1 if they are not there."""
    position = state.position
    if position < 0 or text[position] != _SPACE:
        state.position = -1
        return 0
    return _decimal(text, position + 1, state)


@kernel
def _next_address(text: np.ndarray, state: np.record) -> int:
    """Read a blank, 0x and a hexadecimal number; state.position is -1 if they are not there."""
    position = state.position
    if (
        position < 0
        or text[position] != _SPACE
        or text[position + 1] != _ZERO
        or text[position + 2] != _X
    ):
        state.position = -1
        return 0
    return _hexadecimal(text, position + 3, state)


@kernel
def _product(count: int, size: int) -> int:
    """count * size, or HUGE where that is beyond any heap."""
    if size and count > HUGE // size:
        return HUGE
    return min(count * size, HUGE)


@kernel
def _end_of_line(text: np.ndarray, state: np.record) -> int:
    """Read two times or none, and the newline; the position behind it, or -1."""
    position = state.position
    if position >= 0 and text[position] == _SPACE:
        _next_number(text, state)
        _next_number(text, state)
        position = state.position
    if position < 0:
        return -1
    if text[position] == _RETURN:
        position += 1
    return position + 1 if text[position] == _NEWLINE else -1


FORMAT = TextFormat(
    name="aosp",
    summary="Android memory_replay text, as in: 202: malloc 0xb4827400 1024",
    grammar="TID: malloc|calloc|realloc|memalign|free|thread_done 0xPTR [ARGUMENTS] [START END]",
    looks_like=looks_like,
    scan=scan,
)
