"""The part of each large object that the program never touched, stored in the events of a replay.

malloc, calloc and realloc have no alignment. In the file of events, their field `alignment` is the
share of the object, in 256ths rounded down, that Touch.PAGE must leave untouched. The driver leaves
the end of the object untouched, because the trace says how many bytes the program touched, but not
which.

If the recorder did not find out what was touched, a large calloc counts as untouched. Its memory is
zero without being written, and programs use calloc for tables that they may never fill.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.events import Op, Trace
from allocsim.traces.event_facts import LARGE, UNTOUCHED, fact_of

ALL = 255
"""The largest share. The driver then touches only the object's first byte, and the pages that begin
in the object's first 256th."""


class UntouchedShares:
    """Sets the untouched shares of the calls of a trace, which is read in chunks."""

    def __init__(self, trace: Trace) -> None:
        """Read how much of each object was touched, if the description of the trace says so."""
        self._facts = fact_of(trace, UNTOUCHED)
        self._read = 0  # number of events in the chunks so far

    @property
    def is_recorded(self) -> bool:
        """Whether the recorder found out what was touched."""
        return self._facts is not None

    def put(self, calls: Any, chunk: Any) -> None:
        """Set the shares of `calls`: the events of `chunk` except notes, which are not calls."""
        if self._facts is None:
            calls.alignment[(calls.op == Op.CALLOC) & (calls.request >= LARGE)] = ALL
            return
        first, end = np.searchsorted(self._facts[:, 0], [self._read, self._read + len(chunk)])
        for row, touched in self._facts[first:end].tolist():
            index = row - self._read
            if chunk.op[index] <= Op.FREE:  # in a damaged file, the event may be a note
                number = int(np.count_nonzero(chunk.op[:index] <= Op.FREE))
                self._set(calls[number], touched)
        self._read += len(chunk)

    def _set(self, call: Any, touched: int) -> None:
        """Set the share of a call; the program touched `touched` bytes of its object."""
        size = int(call.request)
        if call.op in (Op.MALLOC, Op.CALLOC, Op.REALLOC) and touched < size:
            call.alignment = min(256 * (size - touched) // size, ALL)
