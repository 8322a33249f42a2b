"""Tables: zeroed records, and larger copies of them."""

from typing import Any

import numpy as np
import pytest

from allocsim.core.records import Int32, Int64, Struct
from allocsim.core.tables import grown, records


class Pair(Struct):
    """A record for the tests."""

    first: Int64
    second: Int32


@pytest.mark.parametrize("count", [0, 1, 5])
def test_records_are_zero(count: int) -> None:
    table = records(Pair, count)
    assert len(table) == count
    assert table.first.tolist() == table.second.tolist() == [0] * count


def test_table_has_one_record_by_default() -> None:
    table = records(Pair)
    table[0].second = 7
    assert (len(table), table[0].second) == (1, 7)


def test_dtype_is_as_good_as_its_record() -> None:
    assert records(Pair.dtype, 3).dtype == records(Pair, 3).dtype


@pytest.mark.parametrize(("rows", "count", "expected"), [(4, 5, 8), (4, 100, 100), (0, 1, 1)])
def test_table_at_least_doubles(rows: int, count: int, expected: int) -> None:
    assert len(grown(records(Pair, rows), count)) == expected


def test_larger_table_keeps_its_rows_and_its_type() -> None:
    table: Any = records(Pair, 2)
    table.first[:] = [3, 4]
    larger = grown(table, 3)
    assert larger.first.tolist() == [3, 4, 0, 0]
    assert isinstance(larger, np.recarray)
    assert table.first.tolist() == [3, 4]


def test_plain_array_grows_too() -> None:
    larger: Any = grown(np.ones(2, np.int64), 4)
    assert larger.tolist() == [1, 1, 0, 0]
    assert (larger.dtype, type(larger)) == (np.int64, np.ndarray)
