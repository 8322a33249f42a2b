"""A table that is read through the pointer to a heap behaves like the table itself."""

import os
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from allocsim.core.jit import PURE, kernel
from allocsim.core.out_of_line import code_record, link, out_of_line, pointer_to
from allocsim.core.records import Counters, Table
from allocsim.core.tables import records
from tests.conftest import REPOSITORY


class Tables(NamedTuple):
    """The state of a toy design with tables of several kinds."""

    code: np.recarray
    counters: Table[Counters]
    numbers: np.ndarray
    grid: np.ndarray
    columns: np.ndarray


@out_of_line
def grows_of(heap: Tables, row: int) -> int:
    """Return a field of a record."""
    return heap.counters[row].grows


@out_of_line
def cell_of(heap: Tables, row: int, column: int) -> int:
    """Return an item of the grid."""
    return 0 + heap.grid[row, column]


@kernel
def write(heap: Tables, row: int, number: int) -> int:
    """Write an item and a field of a record; return the item, which may have wrapped."""
    state = pointer_to(heap)
    state.numbers[row] = number
    state.counters[row].grows = number
    return int(state.numbers[row])


@kernel
def lengths(heap: Tables) -> int:
    """Return the lengths of three tables, in one number."""
    state = pointer_to(heap)
    return len(state.numbers) + 10 * len(state.grid) + 100 * len(state.columns)


@kernel
def like_arrays(heap: Tables) -> int:
    """Return the sum of a slice, a row, a column, all items, and the items of another table."""
    state = pointer_to(heap)
    total = state.numbers[1:3].sum() + state.grid[1].sum() + state.counters.splits[2]
    for number in state.numbers:
        total += number
    return int(total + state.columns[1, 0] + state.columns.T[1, 0] + state.numbers.size)


@kernel
def grid_row(heap: Tables, first: np.uint8, second: np.int16) -> int:
    """Return an item of the grid whose indices have narrow types."""
    return int(pointer_to(heap).grid[np.uint8(first), np.int16(second)])


@kernel
def item_four(heap: Tables) -> int:
    """Return the item after the last one."""
    return int(pointer_to(heap).numbers[4])


OUTSIDE = """
import numpy as np
from tests.core import test_heap_table as tables

heap = tables.toy()
for call in (
    lambda: tables.item_four(heap),
    lambda: tables.write(heap, 4, 1),
    lambda: tables.write(heap, -5, 1),
    lambda: tables.grid_row(heap, np.uint8(3), np.int16(0)),
    lambda: tables.grid_row(heap, np.uint8(0), np.int16(4)),
):
    try:
        print(call())
    except IndexError:
        print("outside")
"""
"""A program that reads and writes items outside of tables."""


def toy() -> Tables:
    """Return a linked heap."""
    heap = Tables(
        np.zeros(1, code_record(grows_of, cell_of)).view(np.recarray),
        records(Counters, 4),
        np.arange(3, 7, dtype=np.int32),
        np.arange(12, dtype=np.int64).reshape(3, 4),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
    )
    heap.counters["grows"], heap.counters["splits"] = range(10, 14), range(20, 24)
    link(heap)
    return heap


@pytest.mark.parametrize("row", [0, 1, 3, -1, -4])
def test_rows_are_counted_from_either_end(row: int) -> None:
    heap = toy()
    assert grows_of(heap, row) == 10 + row % 4
    assert cell_of(heap, row % 3, row) == 4 * (row % 3) + row % 4
    assert cell_of(heap, -1, row) == 8 + row % 4
    assert grid_row(heap, np.uint8(2), np.int16(row)) == 8 + row % 4


@pytest.mark.parametrize("row", [0, 3, -1])
def test_writes_change_the_table(row: int) -> None:
    heap = toy()
    assert write(heap, row, 77) == 77
    assert heap.numbers.tolist() == [77 if each == row % 4 else 3 + each for each in range(4)]
    assert heap.counters[row].grows == 77
    assert heap.counters["splits"].tolist() == [20, 21, 22, 23]


def test_length_is_the_number_of_rows() -> None:
    assert lengths(toy()) == 4 + 30 + 200


def test_slices_columns_and_loops_work_as_for_an_array() -> None:
    expected = (4 + 5) + (4 + 5 + 6 + 7) + 22 + (3 + 4 + 5 + 6) + 3 + 1 + 4
    assert like_arrays(toy()) == expected


def test_index_out_of_range_is_found_if_numba_checks_bounds() -> None:
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1"}
    run = [sys.executable, "-c", OUTSIDE]
    found = subprocess.run(run, env=environment, cwd=REPOSITORY, capture_output=True, check=True)
    assert found.stdout.split() == 5 * [b"outside"]


@pytest.mark.skipif(PURE, reason="Python's integers do not wrap")
def test_number_wraps_to_the_width_of_the_item() -> None:
    assert write(toy(), 1, (1 << 32) + 5) == 5
