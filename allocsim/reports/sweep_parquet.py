"""The rows of a sweep as Parquet, for notebooks. pyarrow, an optional dependency, writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from allocsim.atomic_file import atomic_write
from allocsim.reports.sweep_text import FIELDS, flat
from allocsim.sweep.row import Row
from allocsim.traces.writers.parquet import require_pyarrow

BATCH = 10_000
"""Rows that are written at once."""

FLOATS = ("ns", "low", "high", "seconds", "timeout")
TEXTS = (
    *("workload", "trace", "subject", "allocator", "settings", "measure", "touch", "replay"),
    *("failure", "host", "began"),
)
"""The fields that are not integers."""


def write_rows_parquet(rows: Iterable[Row], path: Path) -> None:
    """Write the rows to a file. Raises EnvironmentLacks if pyarrow is not installed."""
    pyarrow = require_pyarrow()
    schema = pyarrow.schema([(name, _type(pyarrow, name)) for name in FIELDS])
    with (
        atomic_write(path) as file,
        pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for batch in _batches(map(flat, rows)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))


def _type(pyarrow: Any, name: str) -> Any:
    """Return the type of a column."""
    if name in TEXTS:
        return pyarrow.string()
    return pyarrow.float64() if name in FLOATS else pyarrow.int64()


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield lists of at most BATCH rows."""
    while batch := list(islice(rows, BATCH)):
        yield batch
