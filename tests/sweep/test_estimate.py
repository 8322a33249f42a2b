"""The estimate of a sweep's time, from cells (measurements) that report given times."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from allocsim.benchmark.event_file import EventFile
from allocsim.errors import CheckFailed
from allocsim.sweep.axis import list_axis
from allocsim.sweep.cell import Cell
from allocsim.sweep.estimate import seconds_by_allocator, total_seconds
from allocsim.sweep.executors import Place
from allocsim.sweep.grid import make_subjects
from allocsim.sweep.plan import Plan, Settings
from allocsim.sweep.row import Row
from allocsim.sweep.workload import Workload
from tests.driving import malloc, stream
from tests.sweep.cells import footprint


def plan(event_file: Callable[..., EventFile], **fields: Any) -> Plan:
    """A plan with workloads of 2, 4 and 6 events, and three subjects."""
    files = [event_file(stream(*(malloc(n, 8) for n in range(count)))) for count in (4, 2, 6)]
    workloads = [Workload(str(f.events), None, f, str(f.events)) for f in files]
    return Plan(workloads, make_subjects(["go2008", "glibc"], [list_axis("mxfast=0,64")]), **fields)


def place(seconds: Callable[[Cell], float], slots: int = 1, failure: str | None = None) -> Place:
    """An executor on which a cell reports that it took `seconds(cell)`, or that it failed."""

    def submit(cell: Cell) -> "Future[Row]":
        future: Future[Row] = Future()
        result = {"failure": failure} if failure else {"memory": footprint(5)}
        about = {"host": "h", "versions": {}, "began": "", "seconds": seconds(cell)}
        future.set_result(cell.row(**about, **result))
        return future

    return Place(submit, slots, slots)


def test_cells_between_the_smallest_and_the_largest_are_on_a_line(
    event_file: Callable[..., EventFile],
) -> None:
    grid = plan(event_file)
    found = dict(seconds_by_allocator(grid, place(lambda cell: 1.0 + cell.events)))
    # 3 + 5 + 7 seconds for each subject
    assert found == {"go2008": pytest.approx(15.0), "glibc": pytest.approx(30.0)}
    assert total_seconds(grid, found, 1) == pytest.approx(45.0)
    assert total_seconds(grid, found, 3) == pytest.approx(15.0)


def test_cells_of_times_run_one_at_a_time(event_file: Callable[..., EventFile]) -> None:
    grid = plan(event_file, timed=True, settings=Settings(runs=4, warmup=1))
    assert (grid.count("memory"), grid.count("times"), len(grid)) == (9, 9, 18)
    found = dict(seconds_by_allocator(grid, place(lambda _: 1.0)))
    assert total_seconds(grid, found, 9) == pytest.approx(1.0 + 9 * 8)


def test_failure_of_a_timed_cell_is_an_error(event_file: Callable[..., EventFile]) -> None:
    with pytest.raises(CheckFailed, match="go2008 on 2: crashed"):
        list(seconds_by_allocator(plan(event_file), place(lambda _: 1.0, failure="crashed")))
