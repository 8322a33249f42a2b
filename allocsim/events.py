"""The event, in which every workload is told, and the Trace, a stream of them.

Above nothing but numpy: generators and trace readers make events, the replay driver eats them.
A stream comes in chunks, so its length costs no memory. Its one rule: an event names an object by
a small number that is its own while it lives; numbers are used again, addresses never appear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from enum import IntEnum
from inspect import GEN_CREATED, getgeneratorstate, isgenerator
from typing import Any

import numpy as np

from allocsim.errors import InputError


class Op(IntEnum):
    """What an event asks for."""

    MALLOC = 0
    CALLOC = 1
    MEMALIGN = 2
    REALLOC = 3
    """The object exists and keeps its number."""
    FREE = 4
    THREAD_DONE = 5
    """A note, not an event: the thread has ended."""
    FREEZE = 6
    """A note, not an event: from here on the heap may not grow."""
    RELEASE = 7
    """A note, not an event: give `request` bytes of free pages back to the operating system."""


EVENT = np.dtype(
    [
        ("request", np.int64),  # bytes asked for; calloc: the product. RELEASE: bytes. Else 0
        ("object", np.uint32),  # the object's number, dense from 0; 0 for notes
        ("thread", np.uint16),  # the thread's number, dense from 0 in order of appearance
        ("op", np.uint8),  # an Op
        ("alignment", np.uint8),  # MEMALIGN: log2 of the alignment in bytes; else 0
    ]
)
"""One call of the program that reaches the heap, or a note beside the calls: 16 bytes."""

CHUNK = 1 << 15
"""Events in a full chunk: 512 KiB, small beside the second-level cache."""

MOST_OBJECTS = 1 << 31
"""Objects that can be live at once; stamps and tables rest on it."""

MOST_THREADS = 1 << 16
"""Threads of one stream."""


def on_one_thread(trace: Trace) -> Trace:
    """The same trace with all events on thread 0, and no thread ever ending."""
    chunks = trace.chunks

    def alone() -> Iterator[Any]:
        """Each chunk with its thread numbers set to 0."""
        with closing(Trace("", chunks, {})):
            for chunk in chunks:
                kept = chunk[chunk.op != Op.THREAD_DONE]
                kept.thread[:] = 0
                yield kept

    trace.chunks = alone()
    return trace


def not_empty(chunks: Iterator[Any], complaint: str) -> Iterator[Any]:
    """The same chunks; at their end InputError, with `complaint`, if there was no event."""
    count = 0
    with closing(Trace("", chunks, {})):
        for chunk in chunks:
            count += len(chunk)
            yield chunk
    if not count:
        raise InputError(f"{complaint}: nothing was written")


def no_events(count: int = 0) -> Any:
    """An array of `count` events, all zero."""
    return np.zeros(count, EVENT).view(np.recarray)


@dataclass
class Trace:
    """A stream of events and what is known of it; the stream can be taken once."""

    name: str
    """What the user called it: a file, a workload."""
    chunks: Iterator[Any]
    """Arrays of EVENT, in order; each is good until the next is taken."""
    description: dict[str, Any]
    """Where it came from, for reports: parameters of a generator, format of a recording."""
    length: int | None = None
    """Events in all, when it is known beforehand."""
    seed: int | None = None
    """The seed, when it was generated."""
    dropped: dict[str, int] = field(default_factory=dict)
    """What an import left out, reason -> count; complete when the stream is at its end."""
    notes: list[str] = field(default_factory=list)
    """What the user should know of an import; complete when the stream is at its end."""
    progress: Any = None
    """A call that gives the share of the input read so far, 0 to 1, when length is unknown."""

    processes: dict[int, int] = field(default_factory=dict)
    """Processes whose calls an import left out -> how many; complete at the end."""

    held: Any = None
    """What the stream holds open: a stream of which nothing was taken cannot close it itself."""

    def close(self) -> None:
        """Let go of what the stream holds open, whether it is at its end or not."""
        close = getattr(self.chunks, "close", None)
        if close is not None:
            close()
        if self.held is not None:
            self.held.close()

    reopen: Callable[[], Trace] | None = None
    """Opens the same trace again; None if it can be read only once, as standard input."""

    @property
    def is_used(self) -> bool:
        """Whether some of the stream has been consumed, or it has been closed."""
        generator = self.chunks
        return isgenerator(generator) and getgeneratorstate(generator) != GEN_CREATED

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        length = "" if self.length is None else f", {self.length:,} events"
        return f"<Trace {self.name}: {self.description.get('kind')}{length}>"
