"""Callers in LTTng's text: an address, and sometimes the file and the function that contain it.

The address is printed as the field `ip` of an event's context. With --debug-info, babeltrace2
prints the file and the function after the address:

    ip = 94292326920556, debug_info = { bin = "/bin/prog+0x116c", func = "main+0x22", src = "a:9" }

This needs the events lttng_ust_statedump:* in the recording. `bin` has the path of the file only
with --debug-info-full-path. The number after the path is an offset from the load address
(PATH+0x…), or an address if the file is not relocated (PATH@0x…).
"""

from __future__ import annotations

import re

import numpy as np

from allocsim.call_sites.caller import Caller
from allocsim.core.jit import kernel
from allocsim.traces.scan.lex import NEWLINE, X, decimal, pointer, word, word_at
from allocsim.traces.scan.state import ScanState

_DEBUG_INFO = word(b", debug")
_QUOTE, _CLOSE, _BACKSLASH = (ord(character) for character in '"}\\')

_ADDRESS = re.compile(rb"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})(.*)", re.S)
"""An address, and `debug_info`."""

_DEBUG = re.compile(
    rb', debug_info = \{ bin = "((?:[^"\\]|\\.)*)[+@]0x([0-9a-f]{1,16})", '
    rb'func = "((?:[^"\\]|\\.)*)".*',
    re.S,
)
"""`debug_info`, in which a backslash escapes the character after it."""


def caller_of(text: bytes) -> Caller:
    """Return the caller that a text names."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return Caller(text)
    debug = _DEBUG.fullmatch(match[2])
    if debug is None:
        base = 16 if b"x" in match[1].lower() else 10
        return Caller(b"%#x" % int(match[1], base))
    function, offset, _ = debug[3].rpartition(b"+0x")
    symbol = function if offset else debug[3]
    return Caller(text, int(debug[2], 16), _unescaped(debug[1]), _unescaped(symbol))


def _unescaped(text: bytes) -> bytes:
    """Remove the backslashes with which babeltrace2 escapes the characters of a string."""
    return re.sub(rb"\\(.)", rb"\1", text)


@kernel
def end_of_caller(text: np.ndarray, state: ScanState, position: int) -> int:
    """Return the end of the caller at `position`: an address, and `debug_info` if that is next.

    The address is decimal (lttng-ust 2.13) or hexadecimal. Without an address, returns `position`.
    """
    is_hexadecimal = text[position + 1] == X
    read = pointer(text, position, state) if is_hexadecimal else decimal(text, position, state)
    end = state.position
    if end < 0 or read == 0:
        return position
    if word_at(state, end, 7) != _DEBUG_INFO:
        return end
    while text[end] != NEWLINE and text[end] != _CLOSE:
        end = skip_string(text, end + 1) if text[end] == _QUOTE else end + 1
    return end + (text[end] == _CLOSE)


@kernel
def skip_string(text: np.ndarray, position: int) -> int:
    """Return the position after the string's closing quote.

    Returns the position of the newline if the line ends first.
    """
    while text[position] != NEWLINE and text[position] != _QUOTE:
        position += 1 + (text[position] == _BACKSLASH and text[position + 1] != NEWLINE)
    return position + (text[position] == _QUOTE)
