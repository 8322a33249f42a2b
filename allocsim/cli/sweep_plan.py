"""`allocsim sweep --plan`: the grid, its size, and an estimate of the time."""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.reports.screen import Screen, simple_table, styled
from allocsim.sweep.estimate import seconds_by_allocator, total_seconds
from allocsim.sweep.executors import Place
from allocsim.sweep.grid import Subjects
from allocsim.sweep.plan import MEMORY, TIMES, Plan
from allocsim.text import counted

MAX_SHOWN = 8
"""Maximum number of values of a setting that are listed."""


def print_plan(plan: Plan, place: Place) -> None:
    """Print the grid, then time some cells and print the estimate."""
    screen = Screen()
    screen.print(styled(_size(plan), "bold"))
    workloads = simple_table()
    workloads.add_column("workload", no_wrap=True)
    workloads.add_column("events", justify="right", no_wrap=True)
    for each in plan.workloads:
        seed = "" if each.seed is None else f" seed {each.seed}"
        workloads.add_row(f"{each.name}{seed}", f"{each.events.events:,}")
    screen.print_table(workloads, 2)
    seconds_of = {}
    table = simple_table()
    table.add_column("allocator", no_wrap=True)
    for title in ("subjects", "seconds"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("values", no_wrap=True)
    for name, seconds in seconds_by_allocator(plan, place):
        seconds_of[name] = seconds
        axes = plan.subjects.axes[name]
        values = "; ".join(f"{axis.key}={_values(axis.values)}" for axis in axes)
        table.add_row(name, f"{len(Subjects({name: axes})):,}", f"{seconds:,.1f}", values)
    screen.print_table(table, 3)
    total = total_seconds(plan, seconds_of, place.slots)
    screen.print(f"estimate: {_duration(total)} with {counted(place.slots, 'cell')} at once")
    screen.print(
        styled(
            "each allocator was timed on the smallest and the largest workload; times of other "
            "workloads are interpolated by their number of events",
            "dim",
        )
    )


def _size(plan: Plan) -> str:
    """Return the size of the grid."""
    touches = f" x {len(plan.touches)} values of --touch" if len(plan.touches) > 1 else ""
    times = f", {counted(plan.count(TIMES), 'cell')} for times" if plan.timed else ""
    return (
        f"{counted(len(plan.workloads), 'workload')} x {counted(len(plan.subjects), 'subject')}"
        f"{touches}: {counted(plan.count(MEMORY), 'cell')} for memory{times}"
    )


def _values(values: Sequence[str]) -> str:
    """Return the values of a setting, or the first two and the last if there are many."""
    if len(values) <= MAX_SHOWN:
        return ",".join(values)
    return f"{values[0]},{values[1]},...,{values[-1]} ({len(values):,} values)"


def _duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
