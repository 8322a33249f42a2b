"""Executors, which run the cells of a sweep.

On this machine, each thread of a pool runs one cell at a time, in a process (see `worker`). The
threads only wait for these processes, so they do not compete for the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from allocsim.benchmark.event_file import EventFile
from allocsim.sweep import worker
from allocsim.sweep.cell import Cell
from allocsim.sweep.row import Row
from allocsim.sweep.workload import Workload


@dataclass(frozen=True)
class Place:
    """An executor, and how many cells it runs at once."""

    submit: Callable[[Cell], Future[Row]]
    slots: int
    """Number of cells that run at once."""
    sharers: int
    """Maximum number of cells that run at once on one machine and share its memory."""
    require_alive: Callable[[], None] = lambda: None
    """Raises EnvironmentLacks if no cell can run any more."""
    is_local: bool = True


@contextmanager
def this_machine(workloads: Iterable[Workload], jobs: int) -> Iterator[Place]:
    """Run cells on this machine, `jobs` at once."""
    with ThreadPoolExecutor(jobs, "sweep") as pool:
        try:
            yield place_on(pool, workloads, jobs)
        finally:
            pool.shutdown(cancel_futures=True)
            worker.processes.close()


def place_on(executor: Executor, workloads: Iterable[Workload], slots: int) -> Place:
    """Return a place that runs cells on an executor in this process."""
    events: dict[str, EventFile] = {each.trace: each.events for each in workloads}

    def submit(cell: Cell) -> Future[Row]:
        """Submit a cell with the events that it replays."""
        return executor.submit(worker.run_cell, cell, events[cell.trace])

    return Place(submit, slots, slots)
