"""The events of a workload in a file without a name, which every child maps.

Above the traces; below the comparison. The workload is read once, its events are put on one
thread, and what is no event is left out. Its one rule: the file lies in memory and has no name, so
it is gone with the last process that knows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from allocsim.errors import EnvironmentLacks
from allocsim.events import Op, Trace, closing_chunks, on_one_thread
from allocsim.signals import interrupt_message
from allocsim.text import counted


@dataclass(frozen=True)
class Recorded:
    """A workload, ready to be played by one child after another."""

    trace: Trace
    """What is known of it; its stream is used up."""
    descriptor: int
    events: int
    threads: int = 1
    """How many it had before it was put on one."""

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)


def record(trace: Trace, watch: Callable[[int], None] | None = None) -> Recorded:
    """Read a whole workload into memory; `watch` gets the count of events after each chunk."""
    descriptor = os.memfd_create("allocsim-events")
    count, threads = 0, [0]
    trace.chunks = _counting(trace.chunks, threads)
    try:
        with interrupt_message(lambda: f"after {counted(count, 'event')} were read"):
            for chunk in on_one_thread(trace).chunks:
                kept = chunk[chunk.op <= Op.FREE]
                _write(descriptor, kept)
                count += len(kept)
                if watch is not None:
                    watch(count)
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        trace.close()
    return Recorded(trace, descriptor, count, max(threads))


def _counting(chunks: Iterator[Any], threads: list[int]) -> Iterator[Any]:
    """The same chunks; how many threads each needs is put into the list."""
    with closing_chunks(chunks):
        for chunk in chunks:
            threads[0] = max(threads[0], int(chunk.thread.max(initial=0)) + 1)
            yield chunk


def _write(descriptor: int, events: Any) -> None:
    """Write all of the events; EnvironmentLacks when memory is full."""
    rest = memoryview(events.tobytes())
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as refusal:
        raise EnvironmentLacks(f"the events do not fit in memory: {refusal.strerror}") from None
