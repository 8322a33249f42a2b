"""Writer of Android's memory_replay text, the format of `readers.aosp`.

An event (see `allocsim.events`) has an object id, but the text needs addresses, which
`synthetic_addresses` invents. Reading the file back gives the same events, except that the reader
may number objects and threads differently. The numbers stay the same if the trace was itself read
from a recording, because all readers number objects and threads in the same way.
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
from allocsim.core.records import Table
from allocsim.errors import InputError
from allocsim.events import Event, Op, Trace
from allocsim.text import counted
from allocsim.traces.writers.synthetic_addresses import (
    AddressSpace,
    address_of,
    allocate,
    free,
    has_room,
    new_address_space,
    reallocate,
    with_room_for,
)

MAX_LINE = 80
"""Upper bound on the bytes of a line. The longest line has a thread number of 5 digits, two
addresses of up to 16 digits and a size of up to 15 digits."""

_CALLS = (b"malloc", b"calloc", b"memalign", b"realloc", b"free", b"thread_done")
_TEXTS = [b": " + name + b" 0x" for name in _CALLS]
_NAMES = np.array([list(text.ljust(16, b"\0")) for text in _TEXTS], np.uint8)
_LENGTHS = np.array([len(text) for text in _TEXTS], np.int64)
_SPACE, _NEWLINE, _ZERO, _X, _A = (ord(character) for character in " \n0xa")


def write_aosp(trace: Trace, path: Path) -> None:
    """Write the whole trace, compressed if the name ends in .gz.

    After an error the old file remains.
    """
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
            raise InputError(
                f"{trace.name}: the trace has no calls, and an empty text could not be read back"
            )


def _texts(trace: Trace) -> Iterator[Any]:
    """Yield the lines of all events as bytes, and count the events that have no line."""
    space, notes, text = new_address_space(), 0, np.empty(0, np.uint8)
    for chunk in trace.chunks:
        notes += int(np.count_nonzero(chunk.op > Op.THREAD_DONE))
        if len(text) < len(chunk) * MAX_LINE:
            text = np.empty(len(chunk) * MAX_LINE, np.uint8)
        position, length = 0, 0
        while position < len(chunk):
            position, length = write_lines(space, chunk, position, text)
            yield text[:length].data
            if position < len(chunk):
                number = int(chunk[position].object)
                if has_room(space, number):
                    raise InputError(
                        f"{trace.name}: the live objects do not fit into an address space of 60 "
                        "bits"
                    )
                space = with_room_for(space, number)
    if notes:
        dropped = counted(notes, "freeze or release event")
        trace.notes.append(f"dropped {dropped}, which AOSP text cannot express")


@kernel
def write_lines(
    space: AddressSpace, events: Table[Event], start: int, text: np.ndarray
) -> tuple[int, int]:
    """Write events[start:] as lines.

    Returns the index of the first event that was not written, and the length of the text. The
    function stops early when the tables of `space` are full or when no address is left.
    """
    length = 0
    position = start
    while position < len(events):
        event = events[position]
        if not has_room(space, event.object):
            break
        if event.op <= Op.THREAD_DONE:
            end = _line(space, event, text, length)
            if end < 0:
                break
            length = end
        position += 1
    return position, length


@kernel
def _line(space: AddressSpace, event: Event, text: np.ndarray, start: int) -> int:
    """Write one line at `start`; return its end, or -1 if no address is left."""
    address, old = 0, 0
    if event.op == Op.REALLOC:
        old = address_of(space, event.object)
        address = reallocate(space, event.object, event.request)
    elif event.op == Op.FREE:
        address = free(space, event.object)
    elif event.op < Op.REALLOC:
        address = allocate(space, event.object, event.request, event.alignment)
    if address == 0 and event.op != Op.THREAD_DONE:
        return -1
    position = _decimal(text, start, int(event.thread) + 1)
    for index in range(_LENGTHS[event.op]):
        text[position + index] = _NAMES[event.op, index]
    position = _hexadecimal(text, position + _LENGTHS[event.op], address)
    if event.op == Op.REALLOC:
        text[position], text[position + 1], text[position + 2] = _SPACE, _ZERO, _X
        position = _hexadecimal(text, position + 3, old)
    elif event.op == Op.MEMALIGN:
        position = _argument(text, position, 1 << int(event.alignment))
    elif event.op == Op.CALLOC:
        position = _argument(text, position, 1)  # an event has only the product of calloc's factors
    if event.op < Op.FREE:
        position = _argument(text, position, event.request)
    text[position] = _NEWLINE
    return position + 1


@kernel
def _argument(text: np.ndarray, start: int, value: int) -> int:
    """Write a space and a decimal number at `start`; return the position after the number."""
    text[start] = _SPACE
    return _decimal(text, start + 1, value)


@kernel
def _decimal(text: np.ndarray, start: int, value: int) -> int:
    """Write `value`, which is not negative, at `start`; return the position after the number."""
    end, rest = start + 1, value // 10
    while rest:
        end += 1
        rest //= 10
    rest = value
    for position in range(end - 1, start - 1, -1):
        text[position] = _ZERO + rest % 10
        rest //= 10
    return end


@kernel
def _hexadecimal(text: np.ndarray, start: int, value: int) -> int:
    """Write `value`, which is not negative, without 0x; return the position after the number."""
    end, rest = start + 1, value >> 4
    while rest:
        end += 1
        rest >>= 4
    rest = value
    for position in range(end - 1, start - 1, -1):
        digit = rest & 15
        text[position] = _ZERO + digit if digit < 10 else _A + digit - 10
        rest >>= 4
    return end
