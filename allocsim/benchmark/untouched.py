"""The part of each large object that the program never touched, stored in the events of a replay.

malloc, calloc and realloc have no alignment. In the file of events, their field `alignment` is the
share of the object, in 256ths rounded down, that Touch.PAGE must leave untouched. The driver leaves
the end of the object untouched. The program may have left other pages untouched, but only their
number is known.

If the recorder did not find out what was touched, a large calloc counts as untouched. Its memory is
zero without being written, and programs use calloc for tables that they may never fill.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.events import Op, Trace
from allocsim.traces.event_facts import LARGE, UNTOUCHED, fact_of

ALL = 255
"""The largest share: the driver touches a 256th of the object, and its first byte."""


class UntouchedShares:
    """Sets these shares in the calls of a trace, which is read in chunks of rows."""

    def __init__(self, trace: Trace) -> None:
        """Read from the trace's description how much of each object was touched, if it says so."""
        self._facts = fact_of(trace, UNTOUCHED)
        self._read = 0  # number of rows in the chunks so far

    @property
    def is_recorded(self) -> bool:
        """Whether the recorder found out what was touched."""
        return self._facts is not None

    def put(self, calls: Any, chunk: Any) -> None:
        """Set the shares of `calls`: the rows of `chunk`, except the notes (ends of threads)."""
        if self._facts is None:
            calls.alignment[(calls.op == Op.CALLOC) & (calls.request >= LARGE)] = ALL
            return
        first, end = np.searchsorted(self._facts[:, 0], [self._read, self._read + len(chunk)])
        for row, touched in self._facts[first:end].tolist():
            index = row - self._read
            if chunk.op[index] <= Op.FREE:  # in a damaged file, the row may be a thread's end
                number = int(np.count_nonzero(chunk.op[:index] <= Op.FREE))
                self._set(calls[number], touched)
        self._read += len(chunk)

    def _set(self, call: Any, touched: int) -> None:
        """Set the share of a call; the program touched `touched` bytes of its object."""
        size = int(call.request)
        if call.op in (Op.MALLOC, Op.CALLOC, Op.REALLOC) and touched < size:
            call.alignment = min(256 * (size - touched) // size, ALL)
