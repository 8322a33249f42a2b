"""Writing the text of Android's memory_replay: events to lines that `aosp` reads again.

Beside the reader. Events name objects, the text wants addresses: `places` invents them. Its one
rule: what is written and read again gives the same events, but for the numbers of objects and
threads, which a reader gives in its own order; a trace that came from a reader has them in that
order already.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from allocsim.atomic_file import atomic_write
from allocsim.core.jit import kernel
from allocsim.core.records import Record
from allocsim.errors import InputError
from allocsim.events import Op, Trace
from allocsim.traces.writers.synthetic_addresses import (
    Places,
    address_of,
    grown,
    has_room,
    move,
    no_places,
    place,
    release,
)

LONGEST_LINE = 80
"""Bytes of a line with numbers of 5, 16, 16 and 15 digits, and more."""

_CALLS = (b"malloc", b"calloc", b"memalign", b"realloc", b"free", b"thread_done")
_TEXTS = [b": " + name + b" 0x" for name in _CALLS]
_NAMES = np.array([list(text.ljust(16, b"\0")) for text in _TEXTS], np.uint8)
_LENGTHS = np.array([len(text) for text in _TEXTS], np.int64)
_BLANK, _NEWLINE, _ZERO, _X, _TEN = (ord(character) for character in " \n0xa")


def write_aosp(trace: Trace, path: Path) -> None:
    """Write the whole stream as text, packed if the name ends so; `path` is whole or as it was."""
    with ExitStack() as opened:
        opened.enter_context(closing(trace))
        file: IO[bytes] = opened.enter_context(atomic_write(path))
        if path.name.endswith(".gz"):
            packed = gzip.GzipFile("", "wb", 6, file, mtime=0)
            file = cast("IO[bytes]", opened.enter_context(packed))
        written = 0
        for text in _texts(trace):
            written += file.write(text)
        if not written:
            raise InputError(f"{trace.name}: it holds no call, and a text without one is no trace")


def _texts(trace: Trace) -> Iterator[Any]:
    """The lines of all events, as bytes."""
    places, notes, text = no_places(), 0, np.empty(0, np.uint8)
    for chunk in trace.chunks:
        notes += int(np.count_nonzero(chunk.op > Op.THREAD_DONE))
        if len(text) < len(chunk) * LONGEST_LINE:
            text = np.empty(len(chunk) * LONGEST_LINE, np.uint8)
        position = 0
        while position < len(chunk):
            position = write_lines(places, chunk, position, text)
            yield text[: places.state[0].written].data
            if position < len(chunk):
                number = int(chunk[position].object)
                if has_room(places, number):
                    raise InputError(
                        f"{trace.name}: its live objects do not fit into the text's addresses"
                    )
                places = grown(places, number)
    if notes:
        trace.notes.append(
            f"the text cannot tell a heap to freeze or to release: left out {notes} times"
        )


@kernel
def write_lines(places: Places, events: np.recarray, start: int, text: np.ndarray) -> int:
    """Write events[start:] as lines; the position of the first that is not written.

    It stops where the tables have no room, and where there is no address left.
    """
    state = places.state[0]
    state.written = 0
    position = start
    while position < len(events):
        event = events[position]
        if not has_room(places, event.object):
            break
        if event.op <= Op.THREAD_DONE:
            behind = _line(places, event, text, state.written)
            if behind < 0:
                break
            state.written = behind
        position += 1
    return position


@kernel
def _line(places: Places, event: Record, text: np.ndarray, start: int) -> int:
    """Write one line from `start` on; the position behind it, or -1 if there is no address."""
    address, old = 0, 0
    if event.op == Op.REALLOC:
        old = address_of(places, event.object)
        address = move(places, event.object, event.request)
    elif event.op == Op.FREE:
        address = release(places, event.object)
    elif event.op < Op.REALLOC:
        address = place(places, event.object, event.request, event.alignment)
    if address == 0 and event.op != Op.THREAD_DONE:
        return -1
    position = _decimal(text, start, int(event.thread) + 1)
    for index in range(_LENGTHS[event.op]):
        text[position + index] = _NAMES[event.op, index]
    position = _hexadecimal(text, position + _LENGTHS[event.op], address)
    if event.op == Op.REALLOC:
        text[position], text[position + 1], text[position + 2] = _BLANK, _ZERO, _X
        position = _hexadecimal(text, position + 3, old)
    elif event.op == Op.MEMALIGN:
        position = _argument(text, position, 1 << int(event.alignment))
    elif event.op == Op.CALLOC:
        position = _argument(text, position, 1)
    if event.op < Op.FREE:
        position = _argument(text, position, event.request)
    text[position] = _NEWLINE
    return position + 1


@kernel
def _argument(text: np.ndarray, start: int, value: int) -> int:
    """Write a blank and a decimal number; the position behind it."""
    text[start] = _BLANK
    return _decimal(text, start + 1, value)


@kernel
def _decimal(text: np.ndarray, start: int, value: int) -> int:
    """Write a number from 0 on; the position behind it."""
    behind, rest = start + 1, value // 10
    while rest:
        behind += 1
        rest //= 10
    rest = value
    for position in range(behind - 1, start - 1, -1):
        text[position] = _ZERO + rest % 10
        rest //= 10
    return behind


@kernel
def _hexadecimal(text: np.ndarray, start: int, value: int) -> int:
    """Write a number from 0 on, without 0x; the position behind it."""
    behind, rest = start + 1, value >> 4
    while rest:
        behind += 1
        rest >>= 4
    rest = value
    for position in range(behind - 1, start - 1, -1):
        digit = rest & 15
        text[position] = _ZERO + digit if digit < 10 else _TEN + digit - 10
        rest >>= 4
    return behind
