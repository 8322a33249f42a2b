"""Site numbers: the stream of numbers beside the events of a trace.

Each allocating event has one number, so the numbers of a chunk of events are found by counting its
allocating events. The producer of a chunk puts their numbers into a queue before it yields the
chunk, and the consumer takes them after it has got the chunk. The queue may be used by two threads.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from allocsim.call_sites.table import EMPTY, SiteTable

LAST_ALLOCATING = 3
"""An event allocates if its operation is at most this number, REALLOC of `events.Op`."""


def count_allocating(events: Any) -> int:
    """Return the number of events that have a site number."""
    return int(np.count_nonzero(events.op <= LAST_ALLOCATING))


class CallSites:
    """The site numbers of a trace's allocating events, and the table of what they mean."""

    def __init__(self) -> None:
        self.table: SiteTable = EMPTY
        """What the numbers mean; complete at the end of the stream."""
        self._waiting: deque[Any] = deque()

    def put(self, numbers: Any) -> None:
        """Append the numbers of the next allocating events; the array is copied."""
        if len(numbers):
            self._waiting.append(np.array(numbers, np.uint32))

    def take(self, count: int) -> Any:
        """Return the numbers of the next `count` allocating events, as uint32.

        Raises IndexError if their events were not produced yet.
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

        The number is 0 for a free or a note, and for an unknown site. Call this method for each
        chunk, in their order.
        """
        numbers = np.zeros(len(events), np.uint32)
        numbers[events.op <= LAST_ALLOCATING] = self.take(count_allocating(events))
        return numbers

    def discard(self) -> None:
        """Forget the numbers that were not taken, for events that are not part of the trace."""
        self._waiting.clear()
