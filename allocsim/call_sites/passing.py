"""Passing on the site numbers of the events that a subset of a trace keeps."""

from __future__ import annotations

from typing import Any

from allocsim.call_sites.numbers import LAST_ALLOCATING, CallSites


class PassedSites:
    """Passes the sites of the selected events on from a trace to its subset, if it has sites."""

    def __init__(self, whole: CallSites | None, subset: CallSites | None) -> None:
        self._whole, self._subset = whole, subset
        self._numbers: Any = None

    def begin(self, chunk: Any) -> None:
        """Take the sites of the whole trace's next chunk."""
        if self._whole is not None:
            self._numbers = self._whole.of(chunk)

    def keep(self, events: Any, origins: Any) -> None:
        """Pass on the sites of events, which were at the positions `origins` of the chunk."""
        if self._subset is not None:
            numbers = self._numbers[origins[: len(events)]]
            self._subset.put(numbers[events.op <= LAST_ALLOCATING])

    def end(self) -> None:
        """Pass on the table."""
        if self._whole is not None and self._subset is not None:
            self._subset.table = self._whole.table
