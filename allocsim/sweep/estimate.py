"""An estimate of the time that a sweep takes, from timed cells.

A cell measures one subject (an allocator with its settings) on one workload. The first subject of
each allocator is timed on the smallest workload and on the largest. The times of other cells are
interpolated linearly by the number of events.
"""

from __future__ import annotations

from collections.abc import Iterator

from allocsim.benchmark.subject import library_of
from allocsim.errors import CheckFailed
from allocsim.sweep.executors import Place
from allocsim.sweep.grid import Subjects
from allocsim.sweep.plan import MEMORY, TIMES, Plan
from allocsim.sweep.workload import Workload

TIMED_REPLAYS = 3
"""Number of replays in a cell that measures times, besides the runs and the warm-up: the first
replay, a replay in batches, and a replay of the driver alone."""


def seconds_by_allocator(plan: Plan, place: Place) -> Iterator[tuple[str, float]]:
    """Yield each allocator with the estimated seconds of all its cells that measure memory.

    Some of these cells are run to measure their time. The estimate is for cells that run one after
    the other. Raises CheckFailed if a cell fails.
    """
    ordered = sorted(plan.workloads, key=lambda each: each.events.events)
    for name, axes in plan.subjects.axes.items():
        ends = {each.trace: _seconds(plan, place, name, each) for each in (ordered[0], ordered[-1])}
        low, high = ends[ordered[0].trace], ends[ordered[-1].trace]
        shares = [_share(each, ordered) for each in plan.workloads]
        cells = len(Subjects({name: axes})) * len(plan.touches)
        yield name, cells * sum(max(low + (high - low) * share, 0.0) for share in shares)


def total_seconds(plan: Plan, seconds_of: dict[str, float], slots: int) -> float:
    """Return the estimated seconds of the sweep.

    Cells that measure memory run `slots` at a time, and cells that measure times one at a time.
    """
    replays = plan.settings.runs + plan.settings.warmup + TIMED_REPLAYS
    one_replay = sum(seconds_of.values()) / plan.count(MEMORY)
    return sum(seconds_of.values()) / slots + plan.count(TIMES) * replays * one_replay


def _share(workload: Workload, ordered: list[Workload]) -> float:
    """Return a workload's number of events on a scale from the smallest (0) to the largest (1)."""
    low, high = ordered[0].events.events, ordered[-1].events.events
    return (workload.events.events - low) / (high - low) if high > low else 0.0


def _seconds(plan: Plan, place: Place, name: str, workload: Workload) -> float:
    """Return the seconds of the first cell of an allocator on a workload.

    A design runs twice, because its kernels may have to be compiled the first time.
    """
    subject = next(iter(Subjects({name: plan.subjects.axes[name]})))
    cell = plan.cell(workload, subject, MEMORY, plan.touches[0])
    if library_of(subject) is None:
        place.submit(cell).result()
    row = place.submit(cell).result()
    if row.failure:
        raise CheckFailed(f"{subject} on {workload.name}: {row.failure}")
    return row.seconds
