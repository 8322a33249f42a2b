"""Site numbers: for each allocating event of a trace, the number of its call stack.

The numbers (see `call_sites.table`) are a stream parallel to the events: a chunk has as many
numbers as allocating events. The producer puts the numbers of a chunk into a queue before it yields
the chunk. The consumer takes them after it has received the chunk. Producer and consumer may run in
different threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from allocsim.call_sites.table import EMPTY, SiteTable

LAST_ALLOCATING = 3
"""Op.REALLOC. An event allocates if its `op` is at most this (see `events.Op`)."""


def count_allocating(events: Any) -> int:
    """Return the number of events that have a site number."""
    return int(np.count_nonzero(events.op <= LAST_ALLOCATING))


class CallSites:
    """The site numbers of a trace's allocating events, and the table of their stacks."""

    def __init__(self) -> None:
        self._table: SiteTable = EMPTY
        self._make: Callable[[], SiteTable] | None = None
        self._waiting: deque[Any] = deque()

    @property
    def table(self) -> SiteTable:
        """The stacks of the site numbers. The table is complete at the end of the stream."""
        if self._make is not None:
            self._table, self._make = self._make(), None
        return self._table

    @table.setter
    def table(self, table: SiteTable) -> None:
        """Set the table."""
        self._table, self._make = table, None

    def make_table_later(self, make: Callable[[], SiteTable]) -> None:
        """Call `make` for the table when the table is first used.

        Reading the symbols of addresses takes much longer than reading a recording, and many
        consumers use only the numbers.
        """
        self._make = make

    def put(self, numbers: Any) -> None:
        """Append the numbers of the next allocating events; the array is copied."""
        if len(numbers):
            self._waiting.append(np.array(numbers, np.uint32))

    def take(self, count: int) -> Any:
        """Return the numbers of the next `count` allocating events, as uint32.

        Raises IndexError if fewer numbers have been put.
        """
        parts = [np.zeros(0, np.uint32)]
        while count:
            part = self._waiting.popleft()
            if len(part) > count:
                self._waiting.appendleft(part[count:])
            parts.append(part[:count])
            count -= len(parts[-1])
        return parts[1] if len(parts) == 2 else np.concatenate(parts)

    def of(self, events: Any) -> Any:
        """Return the site number of each event of the next chunk, as uint32.

        The number is 0 for an event that does not allocate, and for an unknown site. Call this
        method once for each chunk, in the order of the chunks.
        """
        numbers = np.zeros(len(events), np.uint32)
        numbers[events.op <= LAST_ALLOCATING] = self.take(count_allocating(events))
        return numbers

    def discard(self) -> None:
        """Drop the numbers that were not taken. Their events are not part of the trace."""
        self._waiting.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, with the table instead of the function that makes it."""
        return {**self.__dict__, "_table": self.table, "_make": None}
