"""The engine: runs cells on an executor, a bounded number at a time.

A cell is one measurement of a sweep: one allocator with its settings on one workload. An executor
is anything with the interface of concurrent.futures.Executor. Cells are taken from an iterator as
others finish, so the engine's memory does not depend on the size of the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait

from allocsim.errors import EnvironmentLacks
from allocsim.sweep.cell import Cell
from allocsim.sweep.row import MAX_FAILURE, Row

POLL = 5.0
"""Seconds between two checks that the executor is alive."""

Submit = Callable[[Cell], "Future[Row]"]


def run_cells(
    cells: Iterator[Cell],
    submit: Submit,
    width: int,
    keep: Callable[[Row], None],
    require_alive: Callable[[], None] = lambda: None,
) -> None:
    """Run all cells, at most `width` at once, and pass each row to `keep` once it is known.

    A cell whose worker was lost is submitted once more; if its worker is lost again, it gets a row
    with the failure. `require_alive` raises an error if the executor can run no more cells.
    """
    running: dict[Future[Row], Cell] = {}
    repeated: set[bytes] = set()
    more = True
    while more or running:
        while more and len(running) < width:
            cell = next(cells, None)
            if cell is None:
                more = False
            else:
                running[submit(cell)] = cell
        done = wait(running, POLL, FIRST_COMPLETED).done if running else set()
        finished = [future for future in running if future in done]  # in the order of submission
        for future in finished:
            cell = running.pop(future)
            try:
                row = _row_of(future, cell, cell.key in repeated)
            except CancelledError:
                require_alive()
                raise EnvironmentLacks(
                    "the executor has cancelled cells that were running"
                ) from None
            if row is not None:
                repeated.discard(cell.key)
                keep(row)
            else:
                repeated.add(cell.key)
                running[submit(cell)] = cell
        if running and not finished:
            require_alive()


def _row_of(future: Future[Row], cell: Cell, is_repeated: bool) -> Row | None:
    """Return the row of a cell, or None if its worker was lost for the first time.

    Raises CancelledError if the executor has cancelled the cell.
    """
    try:
        return future.result()
    except CancelledError:
        raise
    except Exception as error:
        if not is_repeated:
            return None
        return cell.row(
            failure=f"its worker was lost twice: {type(error).__name__}: {error}"[:MAX_FAILURE],
            host="",
            versions={},
            began="",
            seconds=0.0,
        )
