"""Execution traces of Go programs that run with GODEBUG=traceallocfree=1 (Go 1.23 and newer).

Such a trace has every allocation, and every object that a sweep frees. A trace is a sequence of
generations; a generation is a set of batches, each of one thread and in the order of its times, so
a generation is read whole and its events are sorted by time.

A trace does not have the requested sizes: a small object has the size of its class, a large one
that of its pages. The objects of less than 16 bytes that share a block are one object. An object is
freed when a sweep reaches it, after a collection, and not when the program stops using it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.core.tables import records
from allocsim.errors import TraceError
from allocsim.traces.calls import Call
from allocsim.traces.formats import Format
from allocsim.traces.scan.go_batch import MAX_BATCH, GoEvent, decode_batch
from allocsim.traces.scan.python_reader import PythonReader
from allocsim.traces.source import Source

HEADER = 16
"""Bytes of the header: `go 1.NN trace` and zeros."""

EVENT_BATCH, EXPERIMENTAL_BATCH, END_OF_GENERATION = 1, 49, 52
"""The bytes that begin a batch, a batch of an experiment, and end a generation."""

ALLOC_FREE = 1
"""The number of the experiment."""

TABLES = {2, 4, 6, 8, 50}
"""First bytes of batches without events: stacks, strings, CPU samples, clocks."""

ARGUMENTS = np.zeros(256, np.int64)
"""Arguments of each event, the time included; 0 for unknown ones."""

for _count, _kinds in {
    1: (11, 17, 18, 23, 24, 27, 36),
    2: (15, 28, 30, 31, 32, 34, 35, 37, 38, 39, 130, 133, 136),
    3: (9, 10, 13, 16, 19, 20, 22, 26, 29, 33, 41, 45, 46, 131, 132, 134, 135),
    4: (12, 14, 21, 25, 42, 43, 47, 51, 128, 129),
    5: (40, 44, 48),
}.items():
    ARGUMENTS[list(_kinds)] = _count


def looks_like(head: bytes) -> bool:
    """Return whether a file begins like an execution trace."""
    return head.startswith(b"go 1.") and b" trace\0" in head[:HEADER]


class _Bytes:
    """The bytes of a source, one number or block after the other."""

    def __init__(self, source: Source) -> None:
        self.source, self.place = source, 0
        self._buffer = bytearray(MAX_BATCH)

    def take(self, length: int) -> bytes:
        """Return the next bytes; fewer at the end of the source."""
        view, filled = memoryview(self._buffer)[:length], 0
        while filled < length and (read := self.source.read_into(view[filled:])):
            filled += read
        self.place += filled
        return bytes(view[:filled])

    def number(self) -> int:
        """Return the next LEB128 number; TraceError if the source ends in it."""
        value = shift = 0
        while shift < 70:
            byte = self.take(1)
            if not byte:
                raise EOFError
            value |= (byte[0] & 127) << shift
            if byte[0] < 128:
                return value
            shift += 7
        raise TraceError(f"{self.source.name}, byte {self.place}: a number is too long")


def go_calls(reader: PythonReader) -> Iterator[Call]:
    """Yield the calls of a trace."""
    from allocsim.traces.readers.go_heap import GoHeap  # loads the design go

    data, heap = _Bytes(reader.source), GoHeap()
    data.take(HEADER)
    try:
        for generation in _generations(data):
            yield from heap.calls(generation)
    except EOFError:
        reader.losses.append("its last generation is cut off and was dropped")
    if not heap.has_events and not reader.losses:
        raise TraceError(
            f"{reader.source.name}: this Go trace has no allocations; run the program with "
            "GODEBUG=traceallocfree=1"
        )
    reader.notes.extend(heap.notes())


Generation = tuple[list[bytes], list[tuple[int, Any]]]
"""The batches of the experiment, and for each other batch its thread and its events."""


def _generations(data: _Bytes) -> Iterator[Generation]:
    """Yield the generations of a trace; raise EOFError if the last one is cut off."""
    number, descriptions, batches = -1, list[bytes](), list[tuple[int, Any]]()
    while begin := data.take(1):
        if begin[0] == END_OF_GENERATION:
            yield descriptions, batches
            number, descriptions, batches = -1, [], []
            continue
        if begin[0] not in (EVENT_BATCH, EXPERIMENTAL_BATCH):
            raise _unknown(data, begin)
        experiment = data.take(1)[0] if begin[0] == EXPERIMENTAL_BATCH else 0
        generation, thread, time, length = (data.number() for _ in range(4))
        if length > MAX_BATCH:
            raise TraceError(f"{data.source.name}: a batch of {length} bytes; expected 65536")
        if number not in (-1, generation):  # before Go 1.26, nothing ends a generation
            yield descriptions, batches
            descriptions, batches = [], []
        number = generation
        payload = data.take(length)
        if len(payload) < length:
            raise EOFError
        if experiment == ALLOC_FREE:
            descriptions.append(payload)
        elif not experiment and payload and payload[0] not in TABLES:
            batches.append((thread, _events(data, payload, time)))
    if batches:
        yield descriptions, batches


def _events(data: _Bytes, payload: bytes, time: int) -> Any:
    """Return the AllocFree events of a batch."""
    events = records(GoEvent, len(payload) // 2 + 1)
    text = np.frombuffer(payload, np.uint8)
    found, place = decode_batch(text, time, ARGUMENTS, events)
    if place < len(payload):
        data.place += place - len(payload)
        raise _unknown(data, payload[place : place + 12])
    return events[:found].copy()


def _unknown(data: _Bytes, found: bytes) -> TraceError:
    """Return the error for bytes that are no event or batch."""
    return TraceError(
        f"{data.source.name}, byte {data.place}: found {found.hex(' ')}, expected an event of a Go "
        "trace"
    )


FORMAT = Format(
    name="go-trace",
    summary="Go's execution traces, of a program run with GODEBUG=traceallocfree=1",
    looks_like=looks_like,
    open=lambda source: PythonReader(source, go_calls),
)
