"""`run_cells` with executors that finish cells at once, late, in another order, or never."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.sweep.cell import Cell
from allocsim.sweep.engine import run_cells
from allocsim.sweep.row import Row
from tests.sweep.cells import cell, row

Finish = Callable[[Cell], Row | Exception]


class Executor:
    """Finishes each cell when it is submitted."""

    def __init__(self, finish: Finish) -> None:
        self.finish = finish
        self.submitted = 0

    def submit(self, cell: Cell) -> "Future[Row]":
        future: Future[Row] = Future()
        self.submitted += 1
        result = self.finish(cell)
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
        return future


def cells(count: int) -> list[Cell]:
    return [cell(f"glibc:mxfast={number}") for number in range(count)]


def done(cell: Cell) -> Row:
    return row(cell.subject)


@pytest.mark.parametrize("width", [1, 2, 7, 100])
def test_every_cell_has_one_row_and_they_are_in_order(width: int) -> None:
    found: list[Row] = []
    run_cells(iter(cells(40)), Executor(done).submit, width, found.append)
    assert [each.subject for each in found] == [each.subject for each in cells(40)]


def test_number_of_cells_at_once_is_bounded() -> None:
    rows, taken = list[Row](), 0

    def counted() -> Iterator[Cell]:
        nonlocal taken
        for each in cells(50):
            taken += 1
            assert taken - len(rows) <= 4
            yield each

    with ThreadPoolExecutor(2) as pool:
        run_cells(counted(), lambda cell: pool.submit(done, cell), 4, rows.append)
    assert len(rows) == 50


def test_cell_whose_worker_was_lost_is_repeated_once() -> None:
    lost = {"glibc:mxfast=3"}

    def finish(cell: Cell) -> Row | Exception:
        if cell.subject in lost:
            lost.remove(cell.subject)
            return BrokenProcessPool("gone")
        return done(cell)

    executor, found = Executor(finish), list[Row]()
    run_cells(iter(cells(10)), executor.submit, 3, found.append)
    assert executor.submitted == 11
    assert sorted(each.subject for each in found) == sorted(each.subject for each in cells(10))
    assert not any(each.failure for each in found)


def test_cell_whose_worker_is_lost_again_is_a_row_with_the_failure() -> None:
    def finish(cell: Cell) -> Row | Exception:
        return BrokenProcessPool("gone") if cell.subject.endswith("=3") else done(cell)

    found = list[Row]()
    run_cells(iter(cells(10)), Executor(finish).submit, 3, found.append)
    failures = {each.subject: each.failure for each in found if each.failure}
    assert failures == {"glibc:mxfast=3": "its worker was lost twice: BrokenProcessPool: gone"}
    assert len(found) == 10


def test_cancelled_cell_ends_the_sweep() -> None:
    with pytest.raises(EnvironmentLacks, match="has cancelled cells"):
        run_cells(iter(cells(3)), Executor(lambda _: CancelledError()).submit, 1, lambda _: None)


def test_executor_that_answers_no_more_is_asked_whether_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def require_alive() -> None:
        raise EnvironmentLacks("the scheduler is gone")

    monkeypatch.setattr("allocsim.sweep.engine.POLL", 0.01)
    with pytest.raises(EnvironmentLacks, match="the scheduler is gone"):
        run_cells(iter(cells(3)), lambda _: Future(), 2, lambda _: None, require_alive)
