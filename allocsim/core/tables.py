"""Tables of records in ordinary memory, and copies of tables with more rows."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import numpy as np

from allocsim.core.records import Struct, Table

S = TypeVar("S", bound=Struct)
Array = TypeVar("Array")


@overload
def records(record: type[S], count: int = 1) -> Table[S]: ...
@overload
def records(record: np.dtype[Any], count: int = 1) -> Any: ...
def records(record: Any, count: int = 1) -> Any:
    """Return a table of `count` records, all zero."""
    return np.zeros(count, record).view(np.recarray)


def grown(table: Array, count: int) -> Array:
    """Return a copy of `table` with at least `count` rows; new rows are zero.

    The copy is at least twice as long, so growing a table row by row copies each row about once.
    """
    old: Any = table
    larger = np.zeros(max(count, 2 * len(old)), old.dtype).view(type(old))
    larger[: len(old)] = old
    return larger
