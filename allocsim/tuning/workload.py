"""The workload for which size classes are chosen: its events, and the weight of each size.

The weight of a size is the mean of two counts of live objects. One is the count at the peak of the
live bytes. The other is the average count over all events, multiplied by peak live bytes / average
live bytes. The peak determines the footprint; the average adds the sizes that are live at other
times. With tables chosen for the peak alone, and no limit on rounding (--floor none), replays took
up to six times as many bytes in spans as with gperftools' own table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.core.available_memory import available_memory
from allocsim.core.class_rules import ClassRules
from allocsim.core.records import Table
from allocsim.core.tables import records
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.events import Event, Op, Trace
from allocsim.trace_stats import StatsCollector, TraceStats
from allocsim.tuning.histogram_kernel import (
    ROW_SHIFT,
    CountedObject,
    CountState,
    RowCount,
    Totals,
    count_sizes,
)


@dataclass(frozen=True)
class Workload:
    """A workload in memory."""

    name: str
    events: Table[Event]
    peak_live: int
    """Maximum of the live bytes."""
    peak_position: int
    """Number of rows of `events` up to the one at which live bytes first reach their maximum."""
    objects: int
    """The highest object id plus one."""


def read_workload(trace: Trace, copies: int = 1) -> Workload:
    """Read all events of a trace, and close it.

    Every call is made `copies` times, as if that many copies of the program shared one heap.
    Raises InputError for an invalid trace or one without live bytes, and EnvironmentLacks if the
    events would take more than half of the available memory.
    """
    collector, chunks, room = StatsCollector(), list[Any](), available_memory() // 2
    with trace:
        for chunk in trace.chunks:
            collector.add(chunk)
            chunks.append(np.array(chunk))
            room -= chunk.nbytes * copies
            if room < 0:
                raise EnvironmentLacks(
                    f"'{trace.name}' does not fit in half of the available memory; "
                    "use `allocsim trace cut` to write a part of the trace"
                )
    collector.require_valid(trace.name)
    stats = collector.stats()
    if stats.peak_live == 0:
        raise InputError(f"'{trace.name}' has no live bytes: there is nothing to tune for")
    name = trace.name if copies == 1 else f"{copies} x {trace.name}"
    return _workload(name, _copied(np.concatenate(chunks), copies), stats, copies)


def _workload(name: str, events: Table[Event], stats: TraceStats, copies: int) -> Workload:
    """Return the workload of these events; `stats` are those of one copy."""
    calls = np.flatnonzero(events.op <= Op.FREE)
    return Workload(
        name=name,
        events=events,
        peak_live=stats.peak_live * copies,
        peak_position=int(calls[stats.peak_event * copies - 1]) + 1,
        objects=stats.objects * copies,
    )


def _copied(events: np.ndarray, copies: int) -> Table[Event]:
    """Return the events with every call made `copies` times, each on a different object."""
    repeats = np.where(events["op"] <= Op.FREE, copies, 1)
    repeated: Any = np.repeat(events, repeats).view(np.recarray)
    first = np.repeat(np.cumsum(repeats) - repeats, repeats)
    repeated.object[:] = repeated.object * copies + np.arange(len(repeated)) - first
    return repeated


def weights(workload: Workload, rules: ClassRules, class_sizes: Sequence[int]) -> np.ndarray:
    """Return the weight of each row, in objects, as float64.

    A row is 8 consecutive sizes: row r has the sizes 8r - 7 to 8r. `class_sizes` are those of the
    current classes.
    """
    state = CountState(
        totals=records(Totals),
        live_sum=np.zeros(1),
        objects=records(CountedObject, workload.objects),
        rows=records(RowCount, (rules.max_request >> ROW_SHIFT) + 1),
        class_sizes=np.array(class_sizes, np.int64),
    )
    state.objects.effective = -1
    count_sizes(state, workload.events[: workload.peak_position], rules.page_size)
    at_peak = state.rows.live.astype(np.float64)
    count_sizes(state, workload.events[workload.peak_position :], rules.page_size)
    events = state.totals[0].events
    mean = (state.rows.total + state.rows.live * (events - state.rows.since)) / events
    mean_live = float(state.live_sum[0]) / events
    return (at_peak + mean * (workload.peak_live / mean_live)) / 2
