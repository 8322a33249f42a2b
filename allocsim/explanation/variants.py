"""Variants of a workload: without a group of objects, or with that group alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.tables import grown
from allocsim.events import Op, Trace, closing_chunks, first_events
from allocsim.explanation.lives import sites_of

Match = Callable[[Any, int, np.ndarray], np.ndarray]
"""match(calls, first, sites) returns a flag for each call: whether it allocates an object of the
group. `first` is the number of events before the first call, and `sites` has the site number of
each call. The flags of calls that allocate no object are not used."""


@dataclass
class Variant:
    """The first events of a trace, without a group of objects or with that group alone.

    A variant can be read only once.
    """

    trace: Trace
    """The first events of the trace, for all objects; the methods filter them."""
    match: Match
    kept: bool
    """Whether only the objects of the group remain. Otherwise, only they are removed."""
    _is_member: np.ndarray = field(default_factory=lambda: np.zeros(1, np.bool_))
    """By object id: whether the object is in the group."""
    _done: int = 0
    """Number of calls in the chunks that have been filtered."""

    def remaining(self, chunk: Any) -> np.ndarray:
        """Return a flag for each event of the next chunk: whether the event remains.

        Events that are no calls (the notes in `Op`) always remain.
        """
        sites = sites_of(self.trace, chunk)
        highest = int(chunk.object.max(initial=0))
        if highest >= len(self._is_member):
            self._is_member = grown(self._is_member, highest + 1)
        calls = chunk.op <= Op.FREE
        matched, of_group = np.zeros(len(chunk), np.bool_), np.zeros(len(chunk), np.bool_)
        matched[calls] = self.match(chunk[calls], self._done, sites[calls])
        self._done += int(np.count_nonzero(calls))
        mark_members(chunk, matched, self._is_member, of_group)
        remains: np.ndarray = (of_group == self.kept) | ~calls
        return remains

    def remaining_calls(self) -> np.ndarray:
        """Read the trace to its end; return a flag for each call: whether it remains."""
        flags = [np.zeros(0, np.bool_)]
        with self.trace:
            for chunk in self.trace.chunks:
                flags.append(self.remaining(chunk)[chunk.op <= Op.FREE])
        return np.concatenate(flags)

    def alone(self) -> Trace:
        """Return the variant as a trace of its own. Its length is not known in advance."""
        return replace(self.trace, chunks=self._chunks(), length=None)

    def _chunks(self) -> Iterator[Any]:
        """Yield the chunks of the trace with the events that remain."""
        with closing_chunks(self.trace.chunks):
            for chunk in self.trace.chunks:
                yield chunk[self.remaining(chunk)]


def variant(trace: Trace, events: int, match: Match, kept: bool) -> Variant:
    """Return the variant of the first `events` events of a trace."""
    return Variant(first_events(trace, events), match, kept)


@kernel
def mark_members(
    chunk: np.recarray, matched: np.ndarray, is_member: np.ndarray, of_group: np.ndarray
) -> None:
    """Set `of_group` for each event: whether its object is in the group.

    `matched` has a flag for each event that allocates an object: whether the object is in the
    group. `is_member` has the same flag by object id, and is kept from one chunk to the next.
    """
    for index in range(len(chunk)):
        event = chunk[index]
        if event.op < Op.REALLOC:
            is_member[event.object] = matched[index]
        of_group[index] = is_member[event.object]
