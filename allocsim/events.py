"""Events and traces. A trace is a stream of events.

Generators and trace readers produce events; the replay driver consumes them. A stream is a sequence
of chunks, which are arrays of events, so memory use does not depend on the length of the stream. An
event refers to an object by an id, a small integer. An id is unique among the live objects and is
reused after the object is freed. An event has no address, because the allocator chooses it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from inspect import GEN_CREATED, getgeneratorstate, isgenerator
from typing import Any

import numpy as np

from allocsim.call_sites.numbers import CallSites
from allocsim.capabilities import Capabilities
from allocsim.core.records import Int64, Struct, UInt8, UInt16, UInt32
from allocsim.core.tables import records
from allocsim.errors import InputError
from allocsim.program_run import ProgramRun
from allocsim.text import counted


class Op(IntEnum):
    """Operation of an event: a call of the allocator (up to FREE), or a note between two calls.

    Compiled code relies on the order: allocations, REALLOC, FREE, notes.
    """

    MALLOC = 0
    CALLOC = 1
    MEMALIGN = 2
    REALLOC = 3
    """Resizes an object, which keeps its id."""
    FREE = 4
    THREAD_DONE = 5
    """A note: the thread has ended."""
    FREEZE = 6
    """A note: from here on the heap must not grow."""
    RELEASE = 7
    """A note: the allocator must release `request` bytes of free pages to the OS."""


class Event(Struct):
    """A call that reaches the allocator, or a note between calls (see Op). It takes 16 bytes."""

    request: Int64  # requested bytes; CALLOC: count * size; RELEASE: bytes to release; else 0
    object: UInt32  # object id, dense from 0; 0 for notes
    thread: UInt16  # thread number, dense from 0 in order of appearance
    op: UInt8  # an Op
    alignment: UInt8  # MEMALIGN: log2 of the alignment; else 0. `benchmark.untouched` reuses it


EVENT = Event.dtype

CHUNK = 1 << 15
"""Events in a full chunk. A chunk takes 512 KiB, which fits into a typical L2 cache."""

RECORDED = "trace"
"""Value of "kind" in the description of a trace that was read from a recording."""

MAX_OBJECTS = 1 << 31
"""Maximum number of objects live at once. `fill_pattern` and tables of objects rely on it."""

MAX_THREADS = 1 << 16
"""Maximum number of threads of one stream: a thread number has 16 bits."""


def no_events(count: int = 0) -> Any:
    """Return an array of `count` events whose fields are all zero."""
    return records(Event, count)


@contextmanager
def closing_chunks(chunks: Iterator[Any]) -> Iterator[None]:
    """Close `chunks` at the end of the block if it has a `close` method, as Python generators do.

    Every Python generator that wraps the chunks of a trace needs this context manager. When its
    consumer stops early, the file or process that produces the chunks must be closed at once, not
    when the garbage collector runs.
    """
    try:
        yield
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def on_one_thread(trace: Trace) -> Trace:
    """Return the same trace with all events on thread 0 and without THREAD_DONE notes."""
    chunks, trace.reopen_with_sites = trace.chunks, None

    def single_threaded() -> Iterator[Any]:
        """Yield each chunk with its thread numbers set to 0."""
        with closing_chunks(chunks):
            for chunk in chunks:
                events = chunk[chunk.op != Op.THREAD_DONE]
                events.thread[:] = 0
                yield events

    trace.chunks = single_threaded()
    if trace.reopen is not None:
        again = trace.reopen
        trace.reopen = lambda: on_one_thread(again())
    return trace


def first_events(trace: Trace, count: int) -> Trace:
    """Return the same trace, cut off after `count` events, not counting notes."""
    chunks, trace.reopen_with_sites = trace.chunks, None

    def cut_off() -> Iterator[Any]:
        """Yield chunks until `count` events have been yielded."""
        left = count
        with closing_chunks(chunks):
            for chunk in chunks if left else ():
                calls = np.flatnonzero(chunk.op <= Op.FREE)
                if len(calls) >= left:
                    yield chunk[: int(calls[left - 1]) + 1]
                    return
                left -= len(calls)
                yield chunk

    trace.chunks = cut_off()
    if trace.length is not None:
        trace.length = min(count, trace.length)
    if trace.reopen is not None:
        again = trace.reopen
        trace.reopen = lambda: first_events(again(), count)
    return trace


def not_empty(chunks: Iterator[Any], complaint: str) -> Iterator[Any]:
    """Yield the same chunks; at the end, raise InputError with `complaint` if all were empty."""
    count = 0
    with closing_chunks(chunks):
        for chunk in chunks:
            count += len(chunk)
            yield chunk
    if not count:
        raise InputError(f"{complaint}: nothing was written")


def _read_stream() -> Iterator[Any]:
    """Return an empty stream that is already consumed (see `Trace.is_used`)."""

    def no_chunks() -> Generator[Any, None, None]:
        """Yield nothing."""
        yield from ()

    chunks = no_chunks()
    chunks.close()
    return chunks


_UNPICKLED = ("chunks", "progress", "resource", "reopen", "reopen_with_sites")
"""The attributes of a trace that are not pickled."""


@dataclass
class Trace:
    """A stream of events, which can be consumed only once, and its description."""

    name: str
    """The name that the user gave: a path or the name of a bundled workload."""
    chunks: Iterator[Any]
    """Arrays of EVENT, in order. Taking the next array may overwrite the previous array."""
    description: dict[str, Any]
    """The origin of the trace, for reports: a generator's parameters or a recording's format."""
    length: int | None = None
    """Number of events, if known in advance."""
    seed: int | None = None
    """Random seed, if the trace was generated."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Number of calls that an import dropped or repaired, by reason; complete at the end of the
    stream."""
    notes: list[str] = field(default_factory=list)
    """Remarks of an import for the user, in sentences; complete at the end of the stream."""
    losses: list[str] = field(default_factory=list)
    """Sentences about calls that are known to be missing; complete at the end of the stream."""
    capabilities: Capabilities = field(default_factory=Capabilities)
    """What the recorder of the trace could see of the program."""
    program_run: ProgramRun | None = None
    """Figures from the operating system about the recorded program. None for a slice or sample of a
    trace, and for a trace that `allocsim record` did not write."""
    times: list[tuple[int, int]] = field(default_factory=list)
    """Pairs (n, time), in order. Event n, counted from 0 without notes, took place `time` ns after
    the first call. Complete at the end of the stream. Empty if the recording has no times."""
    progress: Any = None
    """A function that returns the share of the input that has been read, 0 to 1; used if `length`
    is None."""

    sites: CallSites | None = None
    """The call sites of the allocating events. None if they were not requested when the trace was
    opened, or if the recording has none."""

    processes: dict[int, int] = field(default_factory=dict)
    """Number of calls that an import dropped because another process made them, by process id;
    complete at the end of the stream."""

    header_room: int = 0
    """Bytes by which the JSON text of the description may grow while the stream is consumed. A
    writer that puts the description before the events needs this number."""

    resource: Any = None
    """The object from which the chunks are read, if it must be closed. `close` closes it, because a
    Python generator that was never started does not run its cleanup code."""

    reopen: Callable[[], Trace] | None = None
    """A function that opens the same trace again. None if the trace can be read only once, as from
    standard input."""

    reopen_with_sites: Callable[[], Trace] | None = None
    """A function that opens the same recording again, with its call sites if it has any. None if
    the trace is not a recording, was changed, or can be read only once."""

    @property
    def is_recorded(self) -> bool:
        """Whether the events come from a program and not from a generator.

        A file in allocsim's own format names the origin of its events. Other formats do not, so a
        trace in another format counts as recorded.
        """
        origin = self.description.get("source", self.description)
        return bool(origin.get("kind") == RECORDED)

    @property
    def is_used(self) -> bool:
        """Whether the stream has been consumed in part or in full, or has been closed."""
        generator = self.chunks
        return isgenerator(generator) and getgeneratorstate(generator) != GEN_CREATED

    def close(self) -> None:
        """Close the stream and the file or process that it reads from.

        The stream need not have been read to its end.
        """
        with closing_chunks(self.chunks):
            pass
        if self.resource is not None:
            self.resource.close()

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without the events.

        Raises TypeError if the events have not been read yet, because they would be lost.
        """
        if not self.is_used:
            raise TypeError(
                f"the trace '{self.name}' can't be copied or pickled before its events have been "
                "read; open it again instead"
            )
        return {**self.__dict__, **dict.fromkeys(_UNPICKLED)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the pickled state. The trace then has no events and cannot be opened again."""
        self.__dict__.update(state)
        self.chunks = _read_stream()

    def __repr__(self) -> str:
        length = "" if self.length is None else f", {counted(self.length, 'event')}"
        return f"<Trace {self.name}: {self.description.get('kind')}{length}>"
