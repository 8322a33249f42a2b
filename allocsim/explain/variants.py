"""Variants of a workload: without a group of objects, or with that group alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.tables import grown
from allocsim.events import Op, Trace, closing_chunks, first_events
from allocsim.explain.lives import sites_of

Match = Callable[[Any, int, np.ndarray], np.ndarray]
"""match(calls, first, sites) says of each call whether the object that it allocates is in the
group. The first call has the number `first`, and `sites` has the site number of each. Calls that
allocate nothing may have any value."""


def variant(trace: Trace, events: int, match: Match, kept: bool) -> Trace:
    """Return the first `events` events of a trace with only the objects of a group, or without.

    The calls of an object that is left out are left out too. With `kept`, the group is what is
    kept. Notes stay. The length of the variant is not known.
    """
    cut_off = first_events(trace, events)
    return replace(cut_off, chunks=_filtered(cut_off, match, kept), length=None)


def _filtered(trace: Trace, match: Match, kept: bool) -> Iterator[Any]:
    """Yield the calls of the objects that are, or are not, in the group."""
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
    """Set `of_group` for the calls whose object is in the group.

    `is_member` says of each object id whether the object that has it is in the group. `matched`
    says of each call that begins an object's life whether the object is.
    """
    for index in range(len(chunk)):
        event = chunk[index]
        if event.op < Op.REALLOC:
            is_member[event.object] = matched[index]
        of_group[index] = is_member[event.object]
