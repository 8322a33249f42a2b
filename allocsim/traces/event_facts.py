"""Facts about single events of a recording, stored in the description of the trace.

A row is the position of an event in the trace. Events that are no calls (the notes of `events.Op`)
have rows too. A slice or a sample of a trace has no facts, because its events are at other
positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.events import Op, Trace, closing_chunks
from allocsim.recorded_pairs import recorded_pairs
from allocsim.recorded_times import recorded_times

TIMES = "times"
"""Key of the times of some events: pairs of a row and the ns since the first call (see
`preload.time_table`)."""

UNTOUCHED = "untouched"
"""Key of the objects of at least LARGE bytes that were touched (read or written) only in part. The
value is a list of pairs. The first number is the row of the call that allocated or last resized the
object. The second is how many of the object's bytes were in memory when the object was freed or
resized again, or when the program ended. All other objects count as touched in full. Without this
key, it is not known which memory was touched."""

LARGE = 128 << 10
"""Minimum size in bytes of an object whose touched bytes are recorded."""


def fact_of(trace: Trace, key: str) -> np.ndarray | None:
    """Return the pairs under a key as an int64 array of two columns, ascending by row.

    Returns None if the trace does not have them, or if they are not valid.
    """
    pairs = recorded_pairs(trace.description, key)
    if pairs is None:
        return None
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return table[np.argsort(table[:, 0], kind="stable")]


def collect_times(trace: Trace) -> None:
    """Arrange for `trace.times` to be filled when the stream ends, if the recording has times."""
    points = recorded_times(trace.description)
    if points:
        trace.chunks = _counted(trace.chunks, np.array(points, np.int64), trace.times)


def _counted(
    chunks: Iterator[Any], points: np.ndarray, times: list[tuple[int, int]]
) -> Iterator[Any]:
    """Yield the same chunks, then store `points` in `times`.

    The row of each point is replaced by the number of calls before the row.
    """
    before, calls = CallsBefore(points[:, 0]), 0
    with closing_chunks(chunks):
        for chunk in chunks:
            is_call = chunk.op <= Op.FREE
            before.add(is_call, calls)
            calls += int(np.count_nonzero(is_call))
            yield chunk
    times[:] = zip(before.calls.tolist(), points[:, 1].tolist(), strict=True)


class CallsBefore:
    """Counts the calls before each of the given rows, while the chunks of a trace are read."""

    def __init__(self, rows: np.ndarray) -> None:
        """`rows` is ascending."""
        self.calls = np.zeros(len(rows), np.int64)
        """For each row, the number of calls before it. A row after the last chunk gets the number
        of all calls."""
        self._rows = rows
        self._read = 0  # number of rows in the chunks so far

    def add(self, is_call: np.ndarray, before: int) -> None:
        """Add the next chunk. `is_call` says which of its rows are calls.

        `before` is the number of calls in the earlier chunks.
        """
        first = int(np.searchsorted(self._rows, self._read))
        inside = np.minimum(self._rows[first:] - self._read, len(is_call))
        if not is_call.all():  # notes are rare, and a sum over each chunk takes time
            inside = np.concatenate([[0], np.cumsum(is_call)])[inside]
        self.calls[first:] = before + inside
        self._read += len(is_call)
