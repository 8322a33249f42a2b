"""Recordings for tests: a simple reader to compare with, random recordings, helpers."""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from allocsim.events import Op, Trace, no_events
from allocsim.traces import open_trace, recording
from allocsim.traces.formats import Format
from allocsim.traces.readers.aosp import FORMAT
from allocsim.traces.source import Source

Event = tuple[int, int, int, int, int]
"""Operation, bytes, log2 of the alignment, thread, object."""

LARGEST = 1 << 47
LARGEST_ALIGNMENT = 1 << 30
ADDRESS = (1 << 60) - 1


def events_of(trace: Trace) -> Any:
    """All events of a trace, copied to one array."""
    chunks = [chunk.copy() for chunk in trace.chunks]
    return np.concatenate([no_events(), *chunks]).view(np.recarray)


def rows_of(events: Any) -> list[Event]:
    """Events as tuples, in the order of `Event`."""
    columns = (events.op, events.request, events.alignment, events.thread, events.object)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def read(
    path: Path | str, form: str | None = None, process: int | None = None
) -> tuple[list[Event], Trace]:
    """Return the events of a file, and its trace, which is consumed."""
    trace = open_trace(str(path), form, process)
    return rows_of(events_of(trace)), trace


def in_memory(content: bytes, name: str = "memory") -> Source:
    """A source whose bytes are in memory."""
    return Source(name, io.BufferedReader(io.BytesIO(content)))


def read_bytes(
    content: bytes, form: Format = FORMAT, process: int | None = None
) -> tuple[list[Event], Trace]:
    """The events of a recording in memory, by default Android's text."""
    reader = form.open(in_memory(content))
    trace = Trace("memory", iter(()), {}, notes=reader.notes)
    trace.chunks = recording.events_of(reader, trace, process)
    return rows_of(events_of(trace)), trace


@dataclass
class Plain:
    """The result of the simple reader, which reuses no id."""

    events: list[Event] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)
    threads: dict[str, int] = field(default_factory=dict)
    live: dict[int, int] = field(default_factory=dict)
    serial: Iterator[int] = field(default_factory=count)

    def line(self, line: str) -> None:
        """Process a line."""
        thread, call, address, *rest = line.replace(":", " ").split()
        self.lines[call] += 1
        numbers = [int(text, 16 if text.startswith("0x") else 10) for text in (address, *rest)]
        arguments = {"calloc": 3, "realloc": 3, "memalign": 3, "malloc": 2}.get(call, 1)
        at, *given = numbers[:arguments]
        at &= ADDRESS
        sizes = given[1:] if call in ("realloc", "memalign") else given
        first = given[0] if given else 0
        self.call(call, thread, at, first, prod(sizes) if sizes else 0)

    def call(self, call: str, thread: str, at: int, first: int = 0, request: int = 0) -> None:
        """Process a call; `first` is the old address of realloc, or the alignment of memalign."""
        if call in ("malloc", "calloc"):
            self.allocate(Op[call.upper()], thread, at, request)
        elif call == "memalign":
            self.allocate(Op.MEMALIGN, thread, at, request, first)
        elif call == "realloc":
            self.reallocate(thread, at, first & ADDRESS, request)
        elif call == "free":
            self.free(thread, at)
        elif call == "thread_done" and thread in self.threads:
            self.event(Op.THREAD_DONE, thread, 0)

    def event(self, op: Op, thread: str, number: int, request: int = 0, alignment: int = 0) -> None:
        """Append an event."""
        who = self.threads.setdefault(thread, len(self.threads))
        self.events.append((op, request, alignment, who, number))

    def allocate(self, op: Op, thread: str, at: int, request: int, alignment: int = 0) -> None:
        """malloc, calloc or memalign."""
        if at == 0:
            self.dropped["failed call"] += 1
        elif request > LARGEST or alignment > LARGEST_ALIGNMENT:
            self.dropped["impossible size"] += 1
        else:
            self.end_overlapped(thread, at)
            self.live[at] = next(self.serial)
            exponent = max(alignment - 1, 0).bit_length()
            self.event(op, thread, self.live[at], request, exponent)

    def reallocate(self, thread: str, at: int, old: int, request: int) -> None:
        """realloc."""
        if old == 0:
            self.allocate(Op.MALLOC, thread, at, request)
        elif at == 0 and request == 0:
            self.free(thread, old)
        elif at == 0:
            self.dropped["failed call"] += 1
        elif request > LARGEST:
            self.dropped["impossible size"] += 1
        elif old not in self.live:
            self.dropped["realloc of unknown"] += 1
            self.allocate(Op.MALLOC, thread, at, request)
        else:
            number = self.live.pop(old)
            self.end_overlapped(thread, at)
            self.live[at] = number
            self.event(Op.REALLOC, thread, number, request)

    def free(self, thread: str, at: int) -> None:
        """free."""
        if at == 0:
            self.dropped["free of NULL"] += 1
        elif at in self.live:
            self.event(Op.FREE, thread, self.live.pop(at))
        else:
            self.dropped["free of unknown"] += 1

    def end_overlapped(self, thread: str, at: int) -> None:
        """Free the object that is live at an address, because the recording lacks its free."""
        if at in self.live:
            self.dropped["overlap"] += 1
            self.free(thread, at)


def read_plainly(text: bytes) -> Plain:
    """Split every line and keep a dictionary of live objects."""
    plain = Plain()
    for line in text.decode().splitlines():
        if line.strip():
            plain.line(line)
    return plain


def assert_same(found: list[Event], expected: list[Event]) -> None:
    """Assert the same events on the same objects, and that ids are the lowest possible."""
    assert [event[:4] for event in found] == [event[:4] for event in expected]
    objects: dict[int, int] = {}
    peak = 0
    for place, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        op, number, serial = ours[0], ours[4], theirs[4]
        if op == Op.THREAD_DONE:
            assert number == 0
        elif op in (Op.MALLOC, Op.CALLOC, Op.MEMALIGN):
            assert number not in objects, f"event {place}: object {number} is live already"
            objects[number] = serial
            peak = max(peak, len(objects))
            assert number < peak, f"event {place}: object {number} of {peak}"
        else:
            assert objects.get(number) == serial, f"event {place}: another object"
            if op == Op.FREE:
                del objects[number]


ADDRESSES = (0, 0x1000, 0x1008, 0x1010, 0x7F00_0000_1000, 0x7FFF_FFFF_FFF8, (1 << 64) - 16, 1 << 60)
SIZES = (0, 1, 24, 4096, 10**6, (1 << 47) - 1, 1 << 47, (1 << 47) + 1, 10**18 - 1, (1 << 64) - 1)
THREADS = (0, 1, 7, 32768, 10**18 - 1)

_thread = st.sampled_from(THREADS)
_address = st.sampled_from(ADDRESSES).map("{:#x}".format) | st.integers(1, 12).map(
    lambda n: f"{4096 * n:#X}".replace("X", "x")
)
_size = st.sampled_from(SIZES) | st.integers(0, 5000)
_alignment = st.sampled_from((0, 1, 8, 16, 48, 4096, 1 << 30, (1 << 30) + 1, 10**18 - 1))
_call = st.one_of(
    st.builds("malloc {} {}".format, _address, _size),
    st.builds("calloc {} {} {}".format, _address, _size, _size),
    st.builds("memalign {} {} {}".format, _address, _alignment, _size),
    st.builds("realloc {} {} {}".format, _address, _address, _size),
    st.builds("free {}".format, _address),
    st.builds("free {}".format, _address),
    st.just("thread_done 0x0"),
)
_times = st.sampled_from(("", " 1 2", " 1764021942000000000 0"))
_end = st.sampled_from(("\n", "\n", "\n", "\r\n", "\n\n", "\r\n\r\n\n"))
_line = st.builds("{}: {}{}{}".format, _thread, _call, _times, _end)
recordings = st.lists(_line, min_size=1, max_size=60).map(lambda lines: "".join(lines).encode())
"""Recordings with NULLs, unknown frees, overlaps, impossible sizes and huge thread ids."""
