"""Execution traces of Go programs that run with GODEBUG=traceallocfree=1 (Go 1.23 and newer).

Such a trace has every allocation, and every free by a sweep. A trace is a sequence of generations,
and a generation is a set of batches. A batch has events of one thread, in the order of their times,
but batches overlap in time. Therefore the reader reads a whole generation and sorts its events by
time.

A trace does not have the requested sizes. A small object gets the size of its size class, and a
large object the size of its pages. Go may put several objects of less than 16 bytes into one block,
which counts as one object. An object is freed when the sweep after a garbage collection reaches it,
not when the program stops using it.
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
"""Length of the header in bytes. The header is `go 1.NN trace`, padded with zeros."""

EVENT_BATCH, EXPERIMENTAL_BATCH, END_OF_GENERATION = 1, 49, 52
"""The first byte of a batch, of an experimental batch, and of the event that ends a generation."""

ALLOC_FREE = 1
"""Number of the experiment AllocFree, the part of Go's tracer that traceallocfree=1 enables."""

HEAP_BOUNDS = b"\1"
"""First byte of the payload of the AllocFree batch that contains the heap's lowest address. The
payloads of AllocFree's other batches list types."""

MAX_EVENTS = 1 << 24
"""Maximum number of events of a generation, which lasts about one second. Sorting that many events
takes 1.5 GiB of memory."""

TABLES = {2, 4, 6, 8, 50}
"""A payload with one of these first bytes has no events, but stacks (2), strings (4), CPU samples
(6), or clocks (8, 50)."""

ARGUMENTS = np.zeros(256, np.int64)
"""Number of arguments of an event by its type, including the time; 0 for an unknown type."""

for _count, _kinds in {
    1: (11, 17, 18, 23, 24, 27, 36),
    2: (15, 28, 30, 31, 32, 34, 35, 37, 38, 39, 130, 133, 136),
    3: (9, 10, 13, 16, 19, 20, 22, 26, 29, 33, 41, 45, 46, 131, 132, 134, 135),
    4: (12, 14, 21, 25, 42, 43, 47, 51, 128, 129),
    5: (40, 44, 48),
}.items():
    ARGUMENTS[list(_kinds)] = _count


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with the header of an execution trace."""
    return head.startswith(b"go 1.") and b" trace\0" in head[:HEADER]


class _Bytes:
    """Reads numbers and blocks from a source, and counts the bytes."""

    def __init__(self, source: Source) -> None:
        self.source, self.offset = source, 0
        self._buffer = bytearray(MAX_BATCH)

    def take(self, length: int) -> bytes:
        """Return the next `length` bytes, or fewer at the end of the source."""
        view, filled = memoryview(self._buffer)[:length], 0
        while filled < length and (read := self.source.read_into(view[filled:])):
            filled += read
        self.offset += filled
        return bytes(view[:filled])

    def byte(self) -> int:
        """Return the next byte; raise EOFError at the end of the source."""
        if taken := self.take(1):
            return taken[0]
        raise EOFError

    def number(self) -> int:
        """Return the next number, which is encoded as LEB128.

        Raises EOFError if the source ends within the number, and TraceError if it is too long.
        """
        value = shift = 0
        while shift < 70:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise TraceError(f"{self.source.name}, byte {self.offset}: a number is too long")


def go_calls(reader: PythonReader) -> Iterator[Call]:
    """Yield the calls of a trace; raise TraceError if it is damaged or has no allocations."""
    from allocsim.traces.readers.go_heap import GoHeap  # imported late, as it loads the design `go`

    data, heap = _Bytes(reader.source), GoHeap()
    data.take(HEADER)
    try:
        for generation in _generations(data):
            yield from heap.calls(generation)
    except EOFError:
        reader.losses.append("the last generation of the trace is cut off and was dropped")
    if not heap.has_events and not reader.losses:
        raise TraceError(
            f"{reader.source.name}: this Go trace has no allocations; run the program with "
            "GODEBUG=traceallocfree=1"
        )
    reader.notes.extend(heap.notes())


Generation = tuple[list[bytes], list[tuple[int, Any]]]
"""A generation. Its first list has the payload of the last HEAP_BOUNDS batch, if there is one. Its
second list has the thread and the events of each batch of events."""


def _generations(data: _Bytes) -> Iterator[Generation]:
    """Yield the generations of a trace.

    Raises EOFError if the last one is cut off, and TraceError if the trace is damaged.
    """
    number, descriptions, batches, events = -1, list[bytes](), list[tuple[int, Any]](), 0
    while begin := data.take(1):
        if begin[0] == END_OF_GENERATION:
            yield descriptions, batches
            number, descriptions, batches, events = -1, [], [], 0
            continue
        if begin[0] not in (EVENT_BATCH, EXPERIMENTAL_BATCH):
            raise _unknown(data, begin)
        experiment = data.byte() if begin[0] == EXPERIMENTAL_BATCH else 0
        generation, thread, time, length = (data.number() for _ in range(4))
        if length > MAX_BATCH:
            raise TraceError(
                f"{data.source.name}, byte {data.offset}: a batch of {length:,} bytes, expected at "
                f"most {MAX_BATCH:,}"
            )
        if number not in (-1, generation):  # before Go 1.26, no event ends a generation
            yield descriptions, batches
            descriptions, batches, events = [], [], 0
        number = generation
        payload = data.take(length)
        if len(payload) < length:
            raise EOFError
        if experiment == ALLOC_FREE:
            if payload[:1] == HEAP_BOUNDS:
                descriptions = [payload]
        elif not experiment and payload and payload[0] not in TABLES:
            batches.append((thread, _events(data, payload, time)))
            events += len(batches[-1][1])
            _require_room(data, events)
    if batches:
        yield descriptions, batches


def _require_room(data: _Bytes, events: int) -> None:
    """Raise TraceError if a generation has too many events to be sorted in memory."""
    if events > MAX_EVENTS:
        raise TraceError(
            f"{data.source.name}, byte {data.offset}: a generation of more than {MAX_EVENTS:,} "
            "allocations and frees, which is too large to sort in memory"
        )


def _events(data: _Bytes, payload: bytes, time: int) -> Any:
    """Return the AllocFree events of a batch; raise TraceError if the batch is damaged."""
    events = records(GoEvent, len(payload) // 2 + 1)  # an event has two bytes or more
    text = np.frombuffer(payload, np.uint8)
    count, position = decode_batch(text, time, ARGUMENTS, events)
    if position < len(payload):
        data.offset += position - len(payload)
        raise _unknown(data, payload[position : position + 12])
    return events[:count].copy()


def _unknown(data: _Bytes, content: bytes) -> TraceError:
    """Return the error for bytes that are neither an event nor a batch."""
    return TraceError(
        f"{data.source.name}, byte {data.offset}: found {content.hex(' ')}, expected an event of a "
        "Go trace"
    )


FORMAT = Format(
    name="go-trace",
    summary="Go's execution traces, of a program run with GODEBUG=traceallocfree=1",
    looks_like=looks_like,
    open=lambda source: PythonReader(source, go_calls),
)
