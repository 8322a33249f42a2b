"""Event maker: turns the calls of a recording into events, and counts dropped and repaired calls.

A call (see `calls`) names an object by the address that the recorded program used; an event (see
`allocsim.events`) names it by an object id. `object_ids` defines the rules of the conversion.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np

from allocsim.call_sites.numbers import CallSites
from allocsim.errors import TraceError
from allocsim.events import MAX_THREADS, no_events
from allocsim.traces.calls import BATCH, Halt
from allocsim.traces.hash_table import capacity_of, new_hash_table
from allocsim.traces.object_ids import (
    assign_ids,
    new_object_ids,
    with_more_slots,
)
from allocsim.traces.reasons import REASONS, Reason


class EventMaker:
    """Turns the calls of one recording into events."""

    def __init__(
        self,
        name: str,
        process: int | None = None,
        buffers: int = 1,
        sites: CallSites | None = None,
    ) -> None:
        """Convert the calls of `process`; None means the process that made the first call.

        `name` is the recording's name in error messages. `events` yields arrays of events, called
        chunks, and reuses each array for the chunk that comes `buffers` chunks later. Unless
        `sites` is None, the site numbers of a chunk's allocating events are put into `sites` before
        the chunk is yielded.
        """
        self.ids = new_object_ids(process=process, sites=2 * BATCH if sites is not None else 0)
        self._name = name
        self._sites = sites
        # A call becomes at most two events, so the events of a batch fit into one chunk.
        self._chunks = cycle([no_events(2 * BATCH) for _ in range(buffers)])
        self._chunk = next(self._chunks)

    def events(self, calls: Any) -> Iterator[Any]:
        """Yield the events of the next calls in chunks."""
        position = 0
        while position < len(calls):
            position = assign_ids(self.ids, calls, position, self._chunk)
            state = self.ids.state[0]
            if state.events:
                if self._sites is not None:
                    self._sites.put(self.ids.sites[: state.allocating])
                yield self._chunk[: state.events]
                self._chunk = next(self._chunks)
            if state.halt == Halt.TABLE_FULL:
                self.ids = with_more_slots(self.ids)
            elif state.halt == Halt.TOO_MANY_THREADS:
                raise TraceError(f"{self._name}: more than {MAX_THREADS} threads")

    def forget_threads(self) -> None:
        """Reset the threads and the counts of dropped calls, but keep the live objects.

        A forked child starts with its parent's objects, but its own threads are numbered from 0.
        """
        state = self.ids.state[0]
        state.threads, state.thread_number = 0, -1
        self.ids = self.ids._replace(threads=new_hash_table(capacity_of(self.ids.threads)))
        self.ids.dropped[:] = 0

    def thread_numbers(self) -> dict[int, int]:
        """Return the thread number of each recorded thread id for which an event was made."""
        table = self.ids.threads
        used = table.key != 0  # a key is an id plus one, because key 0 marks a free slot
        keys, numbers = table.key[used].tolist(), table.number[used].tolist()
        return {key - 1: number for key, number in zip(keys, numbers, strict=True)}


def by_reason(dropped: np.ndarray) -> dict[str, int]:
    """Return the counts of dropped and repaired calls by reason, without zeros."""
    return {REASONS[reason]: int(dropped[reason]) for reason in Reason if dropped[reason]}
