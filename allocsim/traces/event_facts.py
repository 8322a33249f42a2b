"""Facts about single events of a recording, which the description of the trace holds.

A row is the position of an event in the trace, notes included. The facts are valid for the whole
trace only, so a slice or sample has none.
"""

from __future__ import annotations

import numpy as np

from allocsim.events import Trace
from allocsim.recorded_pairs import recorded_pairs

TIMES = "times"
"""Key of pairs of a row and the time in ns since the first call (see `preload.time_table`)."""

UNTOUCHED = "untouched"
"""Key of pairs of the row of an allocation of at least LARGE bytes, and the bytes of the object
that were in memory when it was freed or resized, or when the program ended. Other objects were
touched as a whole. Without this key, it is not known which memory was touched."""

LARGE = 128 << 10
"""Minimum bytes of an object for which a recorder finds out how much of it is touched."""


def fact_of(trace: Trace, key: str) -> np.ndarray | None:
    """Return the pairs under a key as an int64 array of two columns, ascending by row.

    Returns None if the trace does not have them, or if they are not valid.
    """
    pairs = recorded_pairs(trace.description, key)
    if pairs is None:
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

    def add(self, is_call: np.ndarray, before: int) -> None:
        """Add a chunk: whether each row is a call; `before` is the number of calls before it."""
        calls = np.concatenate([[0], np.cumsum(is_call)])
        first = int(np.searchsorted(self._rows, self._read))
        inside = np.minimum(self._rows[first:] - self._read, len(is_call))
        self.calls[first:] = before + calls[inside]
        self._read += len(is_call)
