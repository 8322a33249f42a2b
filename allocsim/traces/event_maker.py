"""Event maker: the calls of a recording as events, and counts of what gave none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np

from allocsim.errors import TraceError
from allocsim.events import MAX_THREADS, no_events
from allocsim.traces.calls import BATCH, Halt
from allocsim.traces.hash_table import capacity_of, new_hash_table
from allocsim.traces.object_ids import (
    REASONS,
    Reason,
    assign_ids,
    new_object_ids,
    with_more_slots,
)


class EventMaker:
    """Turns the calls of one recording into events."""

    def __init__(self, name: str, process: int | None = None, buffers: int = 1) -> None:
        """`name` is the recording's, for errors. Only calls of `process` become events.

        A chunk is valid until `buffers` more chunks have been made.
        """
        self.ids = new_object_ids(process=process)
        self._name = name
        self._chunks = cycle([no_events(2 * BATCH) for _ in range(buffers)])

    def events(self, calls: Any) -> Iterator[Any]:
        """Yield the events of the next calls in chunks."""
        position = 0
        while position < len(calls):
            chunk = next(self._chunks)
            position = assign_ids(self.ids, calls, position, chunk)
            state = self.ids.state[0]
            if state.events:
                yield chunk[: state.events]
            if state.halt == Halt.TABLE_FULL:
                self.ids = with_more_slots(self.ids)
            elif state.halt == Halt.TOO_MANY_THREADS:
                raise TraceError(f"{self._name}: more than {MAX_THREADS} threads")

    def forget_threads(self) -> None:
        """Number the threads of the next calls from 0 again, and count their dropped calls."""
        state = self.ids.state[0]
        state.threads, state.thread_number = 0, -1
        self.ids = self.ids._replace(threads=new_hash_table(capacity_of(self.ids.threads)))
        self.ids.dropped[:] = 0


def by_reason(dropped: np.ndarray) -> dict[str, int]:
    """Return the counts of dropped and repaired calls by reason, without zeros."""
    return {REASONS[reason]: int(dropped[reason]) for reason in Reason if dropped[reason]}
