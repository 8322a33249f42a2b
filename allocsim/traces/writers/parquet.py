"""Writer of Parquet: the events as columns, for notebooks.

The columns are the fields of an event (see `events.Event`), with two changes: the operation is
a name, and the alignment is in bytes. pyarrow, an optional dependency, writes the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from allocsim import __version__
from allocsim.atomic_file import atomic_write
from allocsim.errors import EnvironmentLacks
from allocsim.events import CHUNK, Op, Trace

ROW_GROUP = 32 * CHUNK
"""Rows of a row group. The writer keeps one row group, 16 MiB of events, in memory."""


def write_parquet(trace: Trace, path: Path) -> None:
    """Write the whole trace. After an error the old file remains."""
    with ExitStack() as opened:
        opened.enter_context(closing(trace))
        pyarrow = require_pyarrow()
        names = pyarrow.array([op.name.lower() for op in Op])
        schema = _batch(pyarrow, names, np.zeros(0, np.uint8), {}).schema
        file = opened.enter_context(atomic_write(path))
        writer = pyarrow.parquet.ParquetWriter(file, schema, compression="zstd")
        opened.enter_context(writer)
        for events in _row_groups(trace.chunks):
            writer.write_batch(_batch(pyarrow, names, events.op, _columns(events)))
        writer.add_key_value_metadata({"allocsim": json.dumps(_description(trace))})


def require_pyarrow() -> Any:
    """Return pyarrow; raise EnvironmentLacks if it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise EnvironmentLacks(
            "Parquet requires pyarrow, which is not installed: pip install 'allocsim[parquet]'"
        ) from error
    return pyarrow


def _columns(events: Any) -> dict[str, Any]:
    """Return the columns of `events` by name, except the operation."""
    shift = events.alignment.astype(np.int64)
    return {
        "thread": events.thread,
        "object": events.object,
        "request": events.request,
        "alignment": np.where(events.op == Op.MEMALIGN, np.int64(1) << shift, 0),
    }


def _batch(pyarrow: Any, names: Any, operations: Any, columns: dict[str, Any]) -> Any:
    """Return a RecordBatch of pyarrow with the operations and the other columns of some events."""
    types = {"thread": "uint16", "object": "uint32", "request": "int64", "alignment": "int64"}
    arrays = [
        pyarrow.array(np.ascontiguousarray(columns.get(name, [])), type_)
        for name, type_ in types.items()
    ]
    indices = pyarrow.array(np.ascontiguousarray(operations), "int8")
    op = pyarrow.DictionaryArray.from_arrays(indices, names)
    return pyarrow.RecordBatch.from_arrays([op, *arrays], ["op", *types])


def _row_groups(chunks: Iterator[Any]) -> Iterator[Any]:
    """Yield the same events in arrays of ROW_GROUP rows or slightly more."""
    gathered: list[Any] = []
    rows = 0
    for chunk in chunks:
        gathered.append(chunk.copy())
        rows += len(chunk)
        if rows >= ROW_GROUP:
            yield np.concatenate(gathered).view(np.recarray)
            gathered, rows = [], 0
    if rows:
        yield np.concatenate(gathered).view(np.recarray)


def _description(trace: Trace) -> dict[str, Any]:
    """Return the description of the trace, for the file's metadata."""
    return {
        "tool": f"allocsim {__version__}",
        "name": trace.name,
        "source": trace.description.get("source", trace.description),
        "seed": trace.seed,
        "dropped": trace.dropped,
        "notes": trace.notes,
    }
