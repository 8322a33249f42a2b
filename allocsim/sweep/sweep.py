"""Run a sweep: measure the cells of a plan that have no row in the file yet.

A cell is one measurement of one allocator on one workload. Its result is a row of the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from allocsim.benchmark.subject import design_of, library_of
from allocsim.errors import EnvironmentLacks
from allocsim.signals import interrupt_message
from allocsim.sweep.cell import Cell
from allocsim.sweep.engine import run_cells
from allocsim.sweep.executors import Place
from allocsim.sweep.plan import MEMORY, TIMES, Plan
from allocsim.sweep.row import Row
from allocsim.sweep.rows_file import RowsFile
from allocsim.text import counted

QUEUE = 2
"""Number of cells that are submitted for each slot of a `Place`. A slot runs one of them, and the
next one waits, so that the slot is never idle."""


def sweep(
    plan: Plan, file: RowsFile, place: Place, notify: Callable[[Row], None], retry: bool = False
) -> int:
    """Run the cells that are not in the file; return their number.

    `notify` is called with each new row after the row is written. With `retry`, cells whose row is
    a failure are run again too.
    """
    count = 0

    def keep(row: Row) -> None:
        """Write a row, and count it."""
        nonlocal count
        file.append(row)
        count += 1
        notify(row)

    def progress() -> str:
        """Return the end of a message about a sweep that ended early."""
        rows = counted(count, "new row")
        return f"with {rows} in {file.path}; repeat the command to continue"

    with interrupt_message(progress):
        try:
            _run(plan, file, place, keep, retry)
        except EnvironmentLacks as error:
            raise EnvironmentLacks(f"{error}; the sweep ended {progress()}") from None
    return count


def _run(
    plan: Plan, file: RowsFile, place: Place, keep: Callable[[Row], None], retry: bool
) -> None:
    """Run the cells of MEMORY in parallel; then run the cells of TIMES, one at a time."""
    tried = _compile_once(plan, file, place, keep, retry)
    for measure in (MEMORY, TIMES):
        width = QUEUE * place.slots if measure == MEMORY else 1
        sharers = place.sharers if measure == MEMORY else 1
        cells = missing(plan.cells(measure, sharers), file, retry)
        # With `retry`, `cells` includes the cells of `tried` that have just failed.
        new = (cell for cell in cells if cell.key not in tried)
        run_cells(new, place.submit, width, keep, place.require_alive)


def missing(cells: Iterator[Cell], file: RowsFile, retry: bool = False) -> Iterator[Cell]:
    """Yield the cells that are not in the file; with `retry`, also those that failed.

    A row that was measured under other conditions does not count (see `Known.changes`).
    """
    for cell in cells:
        known = file.done.get(cell.key)
        if known is None or known.changes(cell) or (retry and known.failed):
            yield cell


def outdated(cells: Iterator[Cell], file: RowsFile) -> Counter[tuple[str, ...]]:
    """Count the cells measured with other options, for each set of options that differ."""
    known = ((file.done.get(cell.key), cell) for cell in cells)
    changes = (row.changes(cell) for row, cell in known if row is not None)
    return Counter(filter(None, changes))


def _compile_once(
    plan: Plan, file: RowsFile, place: Place, keep: Callable[[Row], None], retry: bool
) -> set[bytes]:
    """If cells run in parallel on this machine, first run one cell of each design by itself.

    Returns the keys of these cells. The process of such a cell compiles the design's kernels. Other
    processes then load the kernels from the cache.
    """
    tried = set[bytes]()
    if not place.is_local or place.slots == 1:
        return tried
    for design in dict.fromkeys(_designs(plan)):
        cells = (
            cell
            for cell in plan.cells(MEMORY, place.sharers)
            if library_of(cell.subject) is None and design_of(cell.subject)[0] == design
        )
        first = [*islice(missing(cells, file, retry), 1)]
        run_cells(iter(first), place.submit, 1, keep, place.require_alive)
        tried |= {cell.key for cell in first}
    return tried


def _designs(plan: Plan) -> list[str]:
    """Return the designs of a plan."""
    return [design_of(name)[0] for name in plan.subjects.axes if library_of(name) is None]
