"""Facts about single events of a recording, which the description of the trace holds.

A row is the position of an event in the trace, notes included. The facts are valid for the whole
trace only, so a slice or sample has none. The description of a file may contain anything, so facts
that do not have the expected form are ignored.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from allocsim.events import Op, Trace

TIMES = "times"
"""Key of pairs of a row and the time in ns since the first call (see `preload.time_table`)."""

UNTOUCHED = "untouched"
"""Key of pairs of the row of an allocation of at least LARGE bytes, and the bytes of the object
that were in memory when it was freed or resized, or when the program ended. Other objects were
touched as a whole. Without this key, it is not known which memory was touched."""

LARGE = 128 << 10
"""Minimum bytes of an object for which a recorder finds out how much of it is touched."""

MAX_PAIRS = 1 << 14
"""Maximum number of pairs of a fact."""

Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
Pairs = Annotated[list[tuple[Number, Number]], msgspec.Meta(max_length=MAX_PAIRS)]


def fact_of(trace: Trace, key: str) -> np.ndarray | None:
    """Return the pairs under a key as an int64 array of two columns, ascending by row.

    Returns None if the trace does not have them.
    """
    source = trace.description.get("source", trace.description)
    if not isinstance(source, dict) or key not in source or "piece" in source:
        return None
    try:
        pairs = msgspec.convert(source[key], Pairs)
    except msgspec.ValidationError:
        return None
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return table[np.argsort(table[:, 0], kind="stable")]


class CallsBefore:
    """Converts rows of a trace to numbers of calls, while the chunks of the trace are read."""

    def __init__(self, rows: np.ndarray) -> None:
        """`rows` is ascending."""
        self.calls = np.zeros(len(rows), np.int64)
        """For each row, the number of calls before it; rows after the last chunk count as the end.
        """
        self._rows = rows
        self._read = 0  # rows of the chunks so far

    def see(self, chunk: np.ndarray, before: int) -> None:
        """Take in a chunk; `before` is the number of calls before it."""
        calls = np.concatenate([[0], np.cumsum(chunk["op"] <= Op.FREE)])
        first = int(np.searchsorted(self._rows, self._read))
        inside = np.minimum(self._rows[first:] - self._read, len(chunk))
        self.calls[first:] = before + calls[inside]
        self._read += len(chunk)
