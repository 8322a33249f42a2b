"""Copy site numbers from a trace to a subset of its events."""

from __future__ import annotations

from typing import Any

from allocsim.call_sites.numbers import LAST_ALLOCATING, CallSites


class PassedSites:
    """Copies the sites of the selected events from a trace to its subset.

    Does nothing for a trace without call sites.
    """

    def __init__(self, trace_sites: CallSites | None, subset: CallSites | None) -> None:
        self._whole, self._subset = trace_sites, subset
        self._numbers: Any = None

    def begin(self, chunk: Any) -> None:
        """Take the site numbers of the next chunk of the whole trace."""
        if self._whole is not None:
            self._numbers = self._whole.of(chunk)

    def keep(self, events: Any, origins: Any) -> None:
        """Copy the site numbers of selected events; `origins` has their positions in the chunk."""
        if self._subset is not None:
            numbers = self._numbers[origins[: len(events)]]
            self._subset.put(numbers[events.op <= LAST_ALLOCATING])

    def end(self) -> None:
        """Set the subset's table to that of the trace. The table is made when it is first used."""
        if self._whole is not None and self._subset is not None:
            whole = self._whole
            self._subset.make_table_later(lambda: whole.table)
