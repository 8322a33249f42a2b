"""Variants of a workload: without a group of objects, or with that group alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
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


def variant(trace: Trace, events: int, match: Match, kept: bool) -> Trace:
    """Return the first `events` events of a trace, without some objects and their calls.

    With `kept`, only the objects of the group remain; otherwise, only the objects of the group are
    removed. Notes remain. The length of the variant is not known in advance.
    """
    cut_off = first_events(trace, events)
    return replace(cut_off, chunks=_filtered(cut_off, match, kept), length=None)


def _filtered(trace: Trace, match: Match, kept: bool) -> Iterator[Any]:
    """Yield the chunks of a trace with the calls that remain in the variant."""
    is_member, done = np.zeros(1, np.bool_), 0
    with closing_chunks(trace.chunks):
        for chunk in trace.chunks:
            sites = sites_of(trace, chunk)
            highest = int(chunk.object.max(initial=0))
            if highest >= len(is_member):
                is_member = grown(is_member, highest + 1)
            calls = chunk.op <= Op.FREE
            matched = np.zeros(len(chunk), np.bool_)
            matched[calls] = match(chunk[calls], done, sites[calls])
            done += int(np.count_nonzero(calls))
            of_group = np.zeros(len(chunk), np.bool_)
            mark_members(chunk, matched, is_member, of_group)
            yield chunk[(of_group == kept) | ~calls]


@kernel
def mark_members(
    chunk: np.recarray, matched: np.ndarray, is_member: np.ndarray, of_group: np.ndarray
) -> None:
    """Set `of_group` for each event: whether its object is in the group.

    `matched` has a flag for each event that allocates an object: whether the object is in the
    group. `is_member` has the same flag by object id. The flags persist from one chunk to the next.
    """
    for index in range(len(chunk)):
        event = chunk[index]
        if event.op < Op.REALLOC:
            is_member[event.object] = matched[index]
        of_group[index] = is_member[event.object]
